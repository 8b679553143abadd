from catchment.sandbox.vendors.slack import TOKEN

from ..exam import Exam

CHANNEL = "C0SANDBOX"
EXAM = Exam(
    settings=lambda place: {"url": place.url, "token": TOKEN},
    sync={
        "target": {"channel": CHANNEL},
        "identifiers": {"person_id": "person_id"},
        "fields": {"text": {"template": "{{ first_name }} of {{ company }} is new"}},
    },
    held=lambda place: {one["metadata"]["event_payload"]["person_id"] for one in place.records(CHANNEL).values()},
    known_as=lambda payload: payload["person_id"],
    spoil=lambda payload: {**payload, "text": "x" * 40_001},
)
