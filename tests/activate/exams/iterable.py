from catchment.sandbox.vendors.iterable import KEY, LISTS

from ..exam import Exam

LIST = next(iter(LISTS))
EXAM = Exam(
    settings=lambda place: {"url": place.url, "api_key": KEY},
    sync={
        "target": {"list_id": LIST},
        "identifiers": {"email": "email"},
        "fields": {"firstName": "first_name"},
    },
    held=lambda place: set(place.records(f"list_{LIST}")),
    known_as=lambda payload: payload["email"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
