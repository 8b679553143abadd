"""What Salesforce documents, the sandbox holds us to."""

import httpx

from catchment.sandbox.vendors.salesforce import CLIENT_ID, CLIENT_SECRET

PATH = "/services/data/v62.0/composite/sobjects/Lead/Catchment_Id__c"


def get_token(sandbox: httpx.Client, secret: str = CLIENT_SECRET, grant: str = "client_credentials") -> httpx.Response:
    form = {"grant_type": grant, "client_id": CLIENT_ID, "client_secret": secret}
    return sandbox.post("/salesforce/services/oauth2/token", data=form)


def lead(key: str, **fields: object) -> dict[str, object]:
    whole = {"LastName": "Bly", "Company": "Acme", **fields}
    return {"attributes": {"type": "Lead"}, "Catchment_Id__c": key, **whole}


def upsert(sandbox: httpx.Client, *records: dict[str, object], all_or_none: bool = False) -> httpx.Response:
    token = get_token(sandbox).json()
    body = {"allOrNone": all_or_none, "records": records}
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    return sandbox.patch(token["instance_url"] + PATH, json=body, headers=headers)


def leads(sandbox: httpx.Client) -> dict[str, dict[str, object]]:
    return sandbox.get("/sandbox/salesforce").json()["holds"].get("Lead", {})


def codes(answer: httpx.Response) -> list[str | None]:
    return [result["errors"][0]["statusCode"] if result["errors"] else None for result in answer.json()]


def test_a_wrong_secret_gets_no_token(sandbox: httpx.Client) -> None:
    answer = get_token(sandbox, "wrong")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")
    assert get_token(sandbox, grant="password").json()["error"] == "unsupported_grant_type"


def test_without_a_session_nothing_is_taken(sandbox: httpx.Client) -> None:
    answer = sandbox.patch("/salesforce" + PATH, json={"records": [lead("a")]}, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    assert leads(sandbox) == {}


def test_results_stand_in_request_order_with_two_hundred_even_where_records_fail(sandbox: httpx.Client) -> None:
    answer = upsert(
        sandbox, lead("a"), lead("b", LastName=None), lead("c", Email="no"), lead("d", Colour="red"), lead("e")
    )
    assert answer.status_code == 200
    assert codes(answer) == [None, "REQUIRED_FIELD_MISSING", "INVALID_EMAIL_ADDRESS", "INVALID_FIELD", None]
    assert sorted(leads(sandbox)) == ["a", "e"]
    assert answer.json()[1]["errors"][0]["fields"] == ["LastName"]


def test_an_update_keeps_what_it_does_not_name_and_creates_nothing(sandbox: httpx.Client) -> None:
    (created,) = upsert(sandbox, lead("a", Email="a@b.co")).json()
    partial = {"attributes": {"type": "Lead"}, "Catchment_Id__c": "a", "Member__c": True}
    (updated,) = upsert(sandbox, partial).json()
    assert (created["created"], updated["created"], created["id"] == updated["id"]) == (True, False, True)
    assert (leads(sandbox)["a"]["Email"], leads(sandbox)["a"]["Member__c"]) == ("a@b.co", True)


def test_two_hundred_records_are_taken_and_more_refused_whole(sandbox: httpx.Client) -> None:
    records = [lead(str(number)) for number in range(201)]
    answer = upsert(sandbox, *records)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert leads(sandbox) == {}
    assert set(codes(upsert(sandbox, *records[:200]))) == {None}


def test_a_key_that_comes_twice_fails_both_copies(sandbox: httpx.Client) -> None:
    assert codes(upsert(sandbox, lead("a"), lead("a"), lead("b"))) == ["DUPLICATE_VALUE", "DUPLICATE_VALUE", None]
    assert list(leads(sandbox)) == ["b"]


def test_all_or_none_takes_none_where_one_is_bad(sandbox: httpx.Client) -> None:
    answer = upsert(sandbox, lead("a"), lead("b", Company=""), all_or_none=True)
    assert codes(answer) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert leads(sandbox) == {}


def test_an_unknown_object_is_not_found(sandbox: httpx.Client) -> None:
    token = get_token(sandbox).json()["access_token"]
    path = "/salesforce/services/data/v62.0/composite/sobjects/Leed/Catchment_Id__c"
    answer = sandbox.patch(path, json={"records": [lead("a")]}, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (404, "NOT_FOUND")
