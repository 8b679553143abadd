from catchment.sandbox.vendors.meta import AUDIENCES, TOKEN

from ..exam import Exam

AUDIENCE = next(iter(AUDIENCES))
EXAM = Exam(
    settings=lambda place: {"url": place.url, "access_token": TOKEN},
    sync={
        "target": {"audience_id": AUDIENCE},
        "identifiers": {"EMAIL": "email"},
        "fields": {"FN": "first_name"},
    },
    held=lambda place: {row["EMAIL"] for row in place.records(AUDIENCE).values()},
    known_as=lambda payload: payload["EMAIL"],
    spoil=lambda payload: {**payload, "EMAIL": "no hash"},
)
