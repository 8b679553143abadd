from catchment.sandbox.vendors.braze import KEY

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {"url": place.url, "api_key": KEY},
    sync={
        "audience": "prospects",
        "identifiers": {"external_id": "person_id"},
        "fields": {"email": "email", "first_name": "first_name"},
    },
    held=lambda place: {
        key for key, user in place.records("users").items() if "prospects" in user["catchment_audiences"]
    },
    known_as=lambda payload: payload["external_id"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
