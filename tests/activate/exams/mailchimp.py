from catchment.sandbox.vendors.mailchimp import KEY, LISTS

from ..exam import Exam, Place


def held(place: Place) -> set[str]:
    members = place.records("members").values()
    return {one["email_address"] for one in members if one["status"] != "archived" and "prospect" in one["tags"]}


EXAM = Exam(
    settings=lambda place: {"url": place.url, "api_key": KEY},
    sync={
        "target": {"list_id": next(iter(LISTS)), "tag": "prospect"},
        "on_leave": "archive",
        "mode": "mirror",
        "identifiers": {"email_address": "email"},
        "fields": {"FNAME": "first_name"},
    },
    held=held,
    known_as=lambda payload: payload["email_address"],
    spoil=lambda payload: {**payload, "email_address": "no address"},
)
