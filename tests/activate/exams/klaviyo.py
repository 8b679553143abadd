from catchment.sandbox.vendors.klaviyo import KEY, LISTS

from ..exam import Exam, Place

LIST = next(iter(LISTS))


def held(place: Place) -> set[str]:
    profiles = place.records("profiles")
    return {profiles[one]["external_id"] for one in place.records(f"list_{LIST}")}


EXAM = Exam(
    settings=lambda place: {"url": place.url, "api_key": KEY},
    sync={
        "target": {"list_id": LIST},
        "identifiers": {"external_id": "person_id"},
        "fields": {"email": "email", "first_name": "first_name", "plan": "company"},
    },
    held=held,
    known_as=lambda payload: payload["external_id"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
