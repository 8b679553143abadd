from catchment.sandbox.vendors.hubspot import TOKEN

from ..exam import Exam, Place


def held(place: Place) -> set[str]:
    contacts = place.records("contacts")
    return {contacts[one]["properties"]["catchment_id"] for one in place.records("list_41")}


EXAM = Exam(
    settings=lambda place: {"url": place.url, "access_token": TOKEN},
    sync={
        "target": {"list_id": "41"},
        "identifiers": {"catchment_id": "person_id"},
        "fields": {"email": "email", "firstname": "first_name"},
    },
    held=held,
    known_as=lambda payload: payload["catchment_id"],
    spoil=lambda payload: {**payload, "email": "no address"},
)
