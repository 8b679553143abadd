from datetime import UTC, datetime, timedelta

from catchment.sandbox.vendors.meta_conversions import PIXEL_ID, TOKEN

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {"url": place.url, "access_token": TOKEN},
    sync={
        "target": {"pixel_id": PIXEL_ID, "event_name": "Lead"},
        "identifiers": {"event_id": "person_id"},
        "fields": {
            "em": "email",
            "event_time": "last_seen_tstamp",
            "custom_data": {"object": {"value": "engaged_time_in_s"}},
        },
    },
    held=lambda place: {event["event_id"] for event in place.records("events").values()},
    known_as=lambda payload: payload["event_id"],
    spoil=lambda payload: {**payload, "em": "no hash"},
    person={"last_seen_tstamp": datetime.now(UTC) - timedelta(hours=1)},
)
