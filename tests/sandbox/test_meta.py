"""What Meta documents, the sandbox holds us to."""

import json
from hashlib import sha256

import httpx
import pytest

from catchment.sandbox.vendors.meta import AUDIENCES, TOKEN

AUDIENCE = next(iter(AUDIENCES))
AUTH = {"Authorization": f"Bearer {TOKEN}"}


def hashed(value: str) -> str:
    return sha256(value.encode()).hexdigest()


def call(sandbox: httpx.Client, method: str, schema: list[str], data: object, **changes: object) -> httpx.Response:
    place = changes.get("audience", AUDIENCE)
    form = {"payload": json.dumps({"schema": schema, "data": data})}
    return sandbox.request(method, f"/meta/v25.0/{place}/users", data=form, headers=changes.get("headers", AUTH))


def people(sandbox: httpx.Client) -> list[dict[str, str]]:
    return list(sandbox.get("/sandbox/meta").json()["holds"].get(AUDIENCE, {}).values())


def test_a_wrong_token_is_refused_with_code_190(sandbox: httpx.Client) -> None:
    answer = call(sandbox, "POST", ["EMAIL"], [[hashed("a@b.co")]], headers={"Authorization": "Bearer wrong"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)
    assert sandbox.get("/meta/v25.0/me").status_code == 401
    assert sandbox.get("/meta/v25.0/me", params={"access_token": TOKEN}).status_code == 200


def test_people_are_added_and_removed_by_the_same_hashes(sandbox: httpx.Client) -> None:
    rows = [[hashed("a@b.co"), hashed("ann")], [hashed("c@d.co"), ""]]
    answer = call(sandbox, "POST", ["EMAIL", "FN"], rows).json()
    assert (answer["num_received"], answer["num_invalid_entries"]) == (2, 0)
    call(sandbox, "DELETE", ["EMAIL", "FN"], rows[:1])
    assert people(sandbox) == [{"EMAIL": hashed("c@d.co")}]


@pytest.mark.parametrize("value", ["a@b.co", hashed("a@b.co").upper(), hashed("a@b.co")[:63], ""])
def test_what_is_not_a_lower_case_sha256_is_an_invalid_entry(sandbox: httpx.Client, value: str) -> None:
    answer = call(sandbox, "POST", ["EMAIL"], [[value], [hashed("ok@b.co")]]).json()
    assert (answer["num_received"], answer["num_invalid_entries"]) == (2, 1)
    assert answer["invalid_entry_samples"] == [[value]]
    assert people(sandbox) == [{"EMAIL": hashed("ok@b.co")}]


def test_an_external_id_needs_no_hash(sandbox: httpx.Client) -> None:
    assert call(sandbox, "POST", ["EXTERN_ID"], [["p1"]]).json()["num_invalid_entries"] == 0


def test_more_than_ten_thousand_rows_are_refused_whole(sandbox: httpx.Client) -> None:
    rows = [[hashed(str(number))] for number in range(10_001)]
    answer = call(sandbox, "POST", ["EMAIL"], rows)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert people(sandbox) == []
    assert call(sandbox, "POST", ["EMAIL"], rows[:10_000]).json()["num_received"] == 10_000


def test_an_unknown_audience_and_an_unknown_key_are_refused(sandbox: httpx.Client) -> None:
    answer = call(sandbox, "POST", ["EMAIL"], [[hashed("a")]], audience="99")
    assert (answer.json()["error"]["code"], answer.json()["error"]["error_subcode"]) == (100, 33)
    assert call(sandbox, "POST", ["EMAILS"], [[hashed("a")]]).status_code == 400
