"""What Braze documents, the sandbox holds us to."""

import httpx
import pytest

from catchment.sandbox.vendors.braze import KEY

AUTH = {"Authorization": f"Bearer {KEY}"}


def track(sandbox: httpx.Client, attributes: object, headers: dict[str, str] = AUTH) -> httpx.Response:
    return sandbox.post("/braze/users/track", json={"attributes": attributes}, headers=headers)


def users(sandbox: httpx.Client) -> dict[str, dict[str, object]]:
    return sandbox.get("/sandbox/braze").json()["holds"].get("users", {})


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
def test_a_wrong_key_is_refused(sandbox: httpx.Client, headers: dict[str, str]) -> None:
    answer = track(sandbox, [{"external_id": "a"}], headers)
    assert (answer.status_code, answer.json()) == (401, {"message": "Invalid API Key"})
    assert users(sandbox) == {}


def test_seventy_five_objects_are_taken_and_seventy_six_refused_whole(sandbox: httpx.Client) -> None:
    objects = [{"external_id": str(number)} for number in range(76)]
    assert track(sandbox, objects).status_code == 400
    assert users(sandbox) == {}
    answer = track(sandbox, objects[:75])
    assert (answer.status_code, answer.json()) == (201, {"message": "success", "attributes_processed": 75})
    assert len(users(sandbox)) == 75


def test_a_bad_object_is_named_by_its_index_and_the_others_are_taken(sandbox: httpx.Client) -> None:
    answer = track(sandbox, [{"external_id": "a"}, {"first_name": "B"}, {"external_id": "c", "email": "no"}])
    assert answer.status_code == 201
    assert [(error["index"], error["input_array"]) for error in answer.json()["errors"]] == [
        (1, "attributes"),
        (2, "attributes"),
    ]
    assert list(users(sandbox)) == ["a"]


def test_null_removes_an_attribute_and_arrays_are_added_to_and_removed_from(sandbox: httpx.Client) -> None:
    track(sandbox, [{"external_id": "a", "city": "Ulm", "lists": {"add": ["x"]}}])
    track(sandbox, [{"external_id": "a", "lists": {"add": ["x", "y"]}}])
    track(sandbox, [{"external_id": "a", "city": None, "lists": {"remove": ["x"]}}])
    assert users(sandbox) == {"a": {"external_id": "a", "lists": ["y"]}}


def test_an_empty_request_is_refused_but_only_once_the_key_is_known(sandbox: httpx.Client) -> None:
    assert sandbox.post("/braze/users/track", json={}, headers=AUTH).status_code == 400
    assert sandbox.post("/braze/users/track", json={}).status_code == 401


def test_more_than_four_megabytes_are_refused(sandbox: httpx.Client) -> None:
    assert track(sandbox, [{"external_id": "a", "text": "x" * 4_000_000}]).status_code == 413
