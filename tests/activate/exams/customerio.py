from catchment.sandbox.vendors.customerio import KEY, SITE_ID

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {"url": place.url, "site_id": SITE_ID, "api_key": KEY},
    sync={
        "audience": "prospects",
        "identifiers": {"id": "person_id"},
        "fields": {"email": "email", "first_name": "first_name"},
    },
    held=lambda place: {key for key, one in place.records("people").items() if one["audience_prospects"]},
    known_as=lambda payload: payload["id"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
