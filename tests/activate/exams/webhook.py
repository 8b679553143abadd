from catchment.sandbox.vendors.webhook import SECRET

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {"url": f"{place.url}/rows", "secret": SECRET},
    sync={"identifiers": {"id": "person_id"}, "fields": {"email": "email", "first_name": "first_name"}},
    held=lambda place: set(place.records("rows")),
    known_as=lambda payload: payload["id"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
