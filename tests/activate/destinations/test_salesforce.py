"""Salesforce: sessions, records that are locked, and what a sync must say."""

from typing import Any

import pytest

from catchment.errors import DefinitionError

from ..conftest import SYNCS, World


def test_a_session_is_asked_for_once_a_run(world: World, people: Any) -> None:
    world.settle(people(450))
    assert world.run("salesforce").sent == 450
    assert world.requests("salesforce") == 1 + 3


def test_a_session_that_has_run_out_is_renewed(world: World, people: Any) -> None:
    world.settle(people(250))
    world.order("salesforce", status=401, after=2)
    assert world.run("salesforce").sent == 250
    assert world.requests("salesforce") == 2 + 1 + 2


def test_a_locked_record_goes_again_alone(world: World, people: Any) -> None:
    world.settle(people(2))
    locked = {"statusCode": "UNABLE_TO_LOCK_ROW", "message": "unable to obtain exclusive access", "fields": []}
    answers = [{"id": "1", "success": True, "errors": []}, {"success": False, "errors": [locked]}]
    world.order("salesforce", status=200, body=answers, after=1)
    report = world.run("salesforce")
    assert (report.sent, report.retry) == (1, 1)
    assert world.receipts(report)[1]["code"] == "UNABLE_TO_LOCK_ROW"
    report = world.run("salesforce")
    assert (report.sent, report.unchanged) == (1, 1)


def test_the_daily_limit_is_no_fault_of_the_rows(world: World, people: Any) -> None:
    world.settle(people(2))
    world.order("salesforce", status=403, after=1)
    report = world.run("salesforce")
    assert (report.retry, report.rejected) == (2, 0)
    assert world.receipts(report)[0]["code"] == "REQUEST_LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": {"object": "Lead"}}, "target.member_field"),
        ({"fields": {"LastName": "last_name"}}, "Salesforce requires Company of every Lead"),
        ({"identifiers": {"A__c": "person_id", "B__c": "email"}}, "one external id field"),
        ({"target": {"object": "Leed", "member_field": "In__c"}}, "Salesforce refused the request: NOT_FOUND"),
    ],
)
def test_a_sync_that_salesforce_cannot_take_is_refused_with_its_file(
    world: World, people: Any, change: dict[str, Any], says: str
) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match=says) as refused:
        world.run("salesforce", world.sync("salesforce", **change))
    assert "syncs/to_salesforce.yml" in str(refused.value)
    assert world.holds("salesforce") == {}


def test_many_rows_go_as_a_job_that_answers_for_each(world: World, people: Any) -> None:
    crowd = people(5)
    crowd[2]["email"] = "no address"
    world.settle(crowd)
    report = world.run("salesforce", bulk_from=2)
    assert (report.sent, report.rejected) == (4, 1)
    (bad,) = [row for row in world.receipts(report) if row["status"] == "rejected"]
    assert (bad["code"], bad["field"]) == ("INVALID_EMAIL_ADDRESS", "Email")
    for person in crowd:
        person["email"] = None
    world.settle(crowd)
    world.run("salesforce", bulk_from=2)
    assert {lead.get("Email") for lead in world.holds("salesforce").values()} == {None}


def test_leavers_of_a_job_lose_their_mark(world: World, people: Any) -> None:
    world.settle(people(6))
    world.run("salesforce", bulk_from=2)
    world.settle(people(6), ["p0000", "p0001"])
    assert world.run("salesforce", bulk_from=2).removed == 4
    assert world.members("salesforce") == {"p0000", "p0001"}


def test_a_field_that_is_none_fails_the_job_and_names_the_sync(world: World, people: Any) -> None:
    world.settle(people(3))
    fields = {**SYNCS["salesforce"]["fields"], "Shoe": "country"}
    with pytest.raises(DefinitionError, match=r"syncs/to_salesforce\.yml: Salesforce: InvalidBatch .*Shoe"):
        world.run("salesforce", world.sync("salesforce", fields=fields), bulk_from=2)
