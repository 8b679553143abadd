from catchment.sandbox.vendors.google import ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, LIST_ID, REFRESH_TOKEN

from ..exam import Exam

EXAM = Exam(
    settings=lambda place: {
        "url": place.url,
        "token_url": f"{place.url}/token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    },
    sync={
        "target": {
            "account_id": ACCOUNT_ID,
            "list_id": LIST_ID,
            "ad_user_data": "granted",
            "ad_personalization": "granted",
        },
        "identifiers": {"email": "email"},
    },
    held=lambda place: {row["userIdentifiers"][0]["emailAddress"] for row in place.records("members").values()},
    known_as=lambda payload: payload["email"],
    spoil=lambda payload: {**payload, "email": "no hash"},
)
