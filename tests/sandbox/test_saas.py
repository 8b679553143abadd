"""The vendors of software as a service are as strict as their references: sizes, forms and keys."""

from typing import Any

import httpx
import pytest

from catchment.sandbox.vendors import customerio, hubspot, iterable, klaviyo, mailchimp, slack

HUBSPOT = {"Authorization": f"Bearer {hubspot.TOKEN}"}
KLAVIYO = {"Authorization": f"Klaviyo-API-Key {klaviyo.KEY}", "revision": "2026-07-15"}
ITERABLE = {"Api-Key": iterable.KEY}
CUSTOMERIO = (customerio.SITE_ID, customerio.KEY)
CONTACT = {"idProperty": "email", "id": "a@acme.co", "properties": {}}
PERSON = {"type": "person", "action": "identify", "identifiers": {"id": "1"}, "attributes": {"note": "x" * 600_000}}
EVENT = {**PERSON, "action": "event", "name": "signed_up", "id": "no ULID", "attributes": {}}
CALLS: list[tuple[str, str, dict[str, Any], int]] = [
    ("POST", "/hubspot/crm/v3/objects/contacts/batch/upsert", {"json": {"inputs": []}}, 401),
    (
        "POST",
        "/hubspot/crm/v3/objects/contacts/batch/upsert",
        {"headers": HUBSPOT, "json": {"inputs": [{**CONTACT, "id": f"{one}@acme.co"} for one in range(101)]}},
        400,
    ),
    (
        "POST",
        "/hubspot/crm/v3/objects/contacts/batch/upsert",
        {"headers": HUBSPOT, "json": {"inputs": [CONTACT, CONTACT]}},
        400,
    ),
    (
        "POST",
        "/hubspot/crm/v3/objects/contacts/batch/upsert",
        {"headers": HUBSPOT, "json": {"inputs": [{**CONTACT, "idProperty": "company"}]}},
        400,
    ),
    ("GET", "/klaviyo/api/profiles", {"headers": {"Authorization": KLAVIYO["Authorization"]}}, 400),
    ("GET", "/klaviyo/api/profiles?page[size]=101", {"headers": KLAVIYO}, 400),
    (
        "DELETE",
        f"/klaviyo/api/lists/{next(iter(klaviyo.LISTS))}/relationships/profiles",
        {"headers": KLAVIYO, "json": {"data": [{"type": "profile", "id": str(one)} for one in range(1_001)]}},
        400,
    ),
    ("POST", "/customerio/api/v2/batch", {"json": {"batch": []}}, 401),
    ("POST", "/customerio/api/v2/batch", {"auth": CUSTOMERIO, "json": {"batch": [PERSON]}}, 413),
    (
        "POST",
        "/customerio/api/v2/batch",
        {
            "auth": CUSTOMERIO,
            "json": {"batch": [EVENT]},
        },
        207,
    ),
    (
        "POST",
        "/iterable/api/users/bulkUpdate",
        {"headers": ITERABLE, "json": {"users": [{"userId": str(one)} for one in range(1_001)]}},
        400,
    ),
    ("POST", "/iterable/api/users/bulkUpdate", {"headers": ITERABLE, "json": {"users": [{"dataFields": {}}]}}, 400),
    (
        "PUT",
        f"/mailchimp/3.0/lists/{next(iter(mailchimp.LISTS))}/members/{'0' * 32}",
        {"auth": ("us", mailchimp.KEY), "json": {"email_address": "a@acme.co", "status_if_new": "subscribed"}},
        400,
    ),
]


@pytest.mark.parametrize(("method", "path", "parts", "status"), CALLS)
def test_what_a_vendor_would_refuse_is_refused(
    sandbox: httpx.Client, method: str, path: str, parts: dict[str, Any], status: int
) -> None:
    assert sandbox.request(method, path, **parts).status_code == status


def test_one_bad_input_without_a_trace_fails_the_whole_of_hubspots_batch(sandbox: httpx.Client) -> None:
    inputs = [CONTACT, {**CONTACT, "id": "no address", "properties": {"email": "no address"}}]
    path = "/hubspot/crm/v3/objects/contacts/batch/upsert"
    assert sandbox.post(path, headers=HUBSPOT, json={"inputs": inputs}).status_code == 400
    traced = [{**one, "objectWriteTraceId": str(number)} for number, one in enumerate(inputs)]
    told = sandbox.post(path, headers=HUBSPOT, json={"inputs": traced})
    assert told.status_code == 207
    assert [one["context"] for one in told.json()["errors"]] == [{"objectWriteTraceId": ["1"]}]


def test_slack_names_what_is_wrong_in_the_body_of_a_200(sandbox: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {slack.TOKEN}"}
    for content, error in (({"channel": "C0SANDBOX"}, "no_text"), ({"channel": "?", "text": "a"}, "channel_not_found")):
        told = sandbox.post("/slack/chat.postMessage", headers=headers, json=content)
        assert (told.status_code, told.json()) == (200, {"ok": False, "error": error})
