"""The promises of a sync, kept against the real sandbox and a real lake."""

from collections import Counter
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pytest

from catchment.activate.planning import Ground
from catchment.activate.sync import run_sync
from catchment.errors import CredentialsError, DefinitionError, LakeError
from catchment.plugin import build_plugin
from catchment.tables import AUDIENCE_MEMBERS

from .conftest import AUDIENCE, NOW, World, person

VENDORS = ("braze", "salesforce", "meta")


def hashed(value: str) -> str:
    return sha256(value.encode()).hexdigest()


def known_as(vendor: str, people: list[dict[str, Any]]) -> set[str]:
    return {hashed(row["email"]) if vendor == "meta" else row["person_id"] for row in people}


def adds_up(report: Any) -> bool:
    planned = report.added + report.changed + report.removed
    return bool(planned == report.sent + report.rejected + report.retry + report.unknown)


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendor_holds_exactly_the_members(world: World, people: Any, vendor: str) -> None:
    crowd = people(230)
    world.settle(crowd, [row["person_id"] for row in crowd[:210]])
    report = world.run(vendor)
    assert (report.status, report.added, report.sent) == ("ok", 210, 210)
    assert world.members(vendor) == known_as(vendor, crowd[:210])
    assert Counter(row["status"] for row in world.receipts(report)) == {"sent": 210}
    assert world.lake.read("sync_runs").to_pylist()[0]["run_id"] == report.run_id


def test_the_project_s_own_engine_reads_what_is_sent(world: World, people: Any) -> None:
    world.settle(people(3))
    engine = build_plugin("lake/engines", {"type": "duckdb"}, place="lake.engine")
    with engine.attach(world.lake) as session:
        report = run_sync(world.sync("braze"), world.destination("braze"), Ground(session, world.lake, NOW))
    assert report.sent == 3


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_second_run_without_changes_makes_no_request(world: World, people: Any, vendor: str) -> None:
    world.settle(people(5))
    world.run(vendor)
    before = world.requests(vendor)
    report = world.run(vendor)
    assert world.requests(vendor) == before
    assert (report.status, report.unchanged, report.sent, report.added) == ("ok", 5, 0, 0)
    assert world.receipts(report) == []


@pytest.mark.parametrize("vendor", ("braze", "salesforce"))
def test_one_changed_person_sends_exactly_one_row(world: World, people: Any, vendor: str) -> None:
    crowd = people(6)
    world.settle(crowd)
    world.run(vendor)
    before = world.requests(vendor)
    crowd[3]["email"] = "new@acme.co"
    world.settle(crowd)
    report = world.run(vendor)
    assert (report.changed, report.sent, report.unchanged) == (1, 1, 5)
    assert [row["row_key"] for row in world.receipts(report)] == ["p0003"]
    sign_in = 1 if vendor == "salesforce" else 0
    assert world.requests(vendor) == before + 1 + sign_in
    assert {row.get("email", row.get("Email")) for row in world.holds(vendor).values()} >= {"new@acme.co"}


def test_who_changes_the_address_is_known_to_meta_by_the_new_one_only(world: World, people: Any) -> None:
    crowd = people(3)
    world.settle(crowd)
    world.run("meta")
    crowd[1]["email"] = "new@acme.co"
    world.settle(crowd)
    report = world.run("meta")
    assert (report.changed, report.sent) == (1, 1)
    assert [(row["operation"], row["status"]) for row in world.receipts(report)] == [
        ("remove", "sent"),
        ("upsert", "sent"),
    ]
    assert world.members("meta") == known_as("meta", crowd)
    assert world.run("meta").unchanged == 3


def test_a_column_that_is_not_sent_changes_nothing(world: World, people: Any) -> None:
    crowd = people(2)
    world.settle(crowd)
    world.run("braze")
    crowd[0]["engaged_time_in_s"] = 999
    world.settle(crowd)
    assert world.run("braze").unchanged == 2


@pytest.mark.parametrize("vendor", VENDORS)
def test_leaving_the_audience_takes_out_and_coming_back_puts_in(world: World, people: Any, vendor: str) -> None:
    crowd = people(4)
    world.settle(crowd)
    world.run(vendor)
    world.settle(crowd, ["p0000", "p0002"])
    report = world.run(vendor)
    assert (report.removed, report.sent, report.unchanged) == (2, 2, 2)
    assert world.members(vendor) == known_as(vendor, [crowd[0], crowd[2]])
    assert world.run(vendor).removed == 0
    world.settle(crowd)
    assert world.run(vendor).added == 2
    assert world.members(vendor) == known_as(vendor, crowd)


def test_a_leaver_whom_the_lake_has_forgotten_is_still_taken_out(world: World, people: Any) -> None:
    crowd = people(2)
    world.settle(crowd)
    world.run("meta")
    world.settle(crowd[:1])
    assert world.run("meta").removed == 1
    assert world.members("meta") == known_as("meta", crowd[:1])


def test_mode_upsert_leaves_the_leavers(world: World, people: Any) -> None:
    crowd = people(2)
    world.settle(crowd)
    sync = world.sync("braze", mode="upsert")
    world.run("braze", sync)
    world.settle(crowd, ["p0000"])
    assert world.run("braze", sync).removed == 0
    assert world.members("braze") == {"p0000", "p0001"}


def test_a_rejected_row_keeps_the_vendors_reason_and_waits_until_it_changes(world: World, people: Any) -> None:
    crowd = people(3)
    crowd[1]["email"] = "no address"
    world.settle(crowd)
    report = world.run("salesforce")
    assert (report.status, report.sent, report.rejected) == ("incomplete", 2, 1)
    receipt = world.receipts(report)[1]
    assert (receipt["status"], receipt["code"], receipt["field"]) == ("rejected", "INVALID_EMAIL_ADDRESS", "Email")
    assert receipt["reason"] == "Email: invalid email address: no address"
    before = world.requests("salesforce")
    report = world.run("salesforce")
    assert (report.held, report.unchanged, world.requests("salesforce")) == (1, 2, before)
    crowd[1]["email"] = "an@address.co"
    world.settle(crowd)
    report = world.run("salesforce")
    assert (report.sent, report.unchanged, report.status) == (1, 2, "ok")


def test_a_change_that_is_rejected_is_not_taken_for_sent(world: World, people: Any) -> None:
    crowd = people(1)
    world.settle(crowd)
    world.run("braze")
    world.settle([{**crowd[0], "email": "no address"}])
    report = world.run("braze")
    assert (report.rejected, report.changed) == (1, 1)
    assert "not a valid email" in world.receipts(report)[0]["reason"]
    world.settle(crowd)
    report = world.run("braze")
    assert (report.unchanged, report.held) == (1, 0)
    assert world.holds("braze")["p0000"]["email"] == "p0@acme.co"


@pytest.mark.parametrize("vendor", VENDORS)
def test_being_throttled_is_waited_out_as_long_as_the_vendor_says(world: World, people: Any, vendor: str) -> None:
    world.settle(people(3))
    world.order(vendor, status=429, times=2, retry_after_s=7)
    report = world.run(vendor)
    assert (report.status, report.sent) == ("ok", 3)
    assert world.slept == [7.0, 7.0]


def test_a_vendor_that_asks_for_too_long_a_wait_is_left_for_the_next_run(world: World, people: Any) -> None:
    world.settle(people(3))
    world.order("braze", status=429, retry_after_s=3600)
    report = world.run("braze")
    assert (report.retry, world.slept) == (3, [])
    assert "asks to wait 3600 s" in world.receipts(report)[0]["reason"]
    assert world.run("braze").sent == 3


def test_a_batch_that_breaks_goes_again_and_the_others_do_not(world: World, people: Any) -> None:
    crowd = people(200)
    world.settle(crowd)
    world.order("braze", status=500, times=4, after=1)
    report = world.run("braze", requests_at_once=1)
    assert (report.status, report.sent, report.retry) == ("incomplete", 125, 75)
    assert len(world.members("braze")) == 125
    waiting = {row["row_key"] for row in world.receipts(report) if row["status"] == "retry"}
    report = world.run("braze", requests_at_once=1)
    assert (report.sent, report.unchanged, report.status) == (75, 125, "ok")
    assert {row["row_key"] for row in world.receipts(report)} == waiting
    assert {row["attempts"] for row in world.receipts(report)} == {2}
    assert world.members("braze") == known_as("braze", crowd)
    assert world.run("braze", requests_at_once=1).unchanged == 200


@pytest.mark.parametrize("vendor", VENDORS)
def test_who_left_after_an_unanswered_request_is_taken_out(world: World, people: Any, vendor: str) -> None:
    crowd = people(2)
    world.settle(crowd)
    world.run(vendor)
    crowd.append(person(7))
    world.settle(crowd)
    world.order(vendor, drop=True, accepted=True, times=4, after=1 if vendor == "salesforce" else 0)
    assert world.run(vendor).unknown == 1
    assert len(world.members(vendor)) == 3
    world.settle(crowd, ["p0000", "p0001"])
    assert world.run(vendor).removed == 1
    assert world.members(vendor) == known_as(vendor, crowd[:2])


def test_after_three_silent_batches_the_rest_waits(world: World, people: Any) -> None:
    world.settle(people(375))
    world.order("braze", status=503, times=1000)
    report = world.run("braze", requests_at_once=1)
    assert (report.retry, world.requests("braze")) == (375, 12)
    assert Counter(row["code"] for row in world.receipts(report)) == {"503": 225, "not_tried": 150}
    world.sandbox.delete("/sandbox/braze")
    assert world.run("braze", requests_at_once=1).sent == 375


class Interrupted(list[float]):
    """A sleep that does not end."""

    def append(self, seconds: float) -> None:
        raise KeyboardInterrupt


def test_a_killed_run_knows_what_was_answered(world: World, people: Any) -> None:
    crowd = people(200)
    world.settle(crowd)
    world.order("braze", status=429, retry_after_s=1, after=2)
    world.slept = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        world.run("braze", requests_at_once=1)
    world.slept = []
    report = world.run("braze", requests_at_once=1)
    assert (report.unchanged, report.sent) == (150, 50)
    assert world.members("braze") == known_as("braze", crowd)
    statuses = [row["status"] for row in world.lake.read("sync_runs").sort_by("started_at").to_pylist()]
    assert statuses == ["failed", "ok"]


@pytest.mark.parametrize(
    ("vendor", "setting"), [("braze", "api_key"), ("salesforce", "client_secret"), ("meta", "access_token")]
)
def test_a_wrong_key_is_named_with_its_destination_and_setting(
    world: World, people: Any, vendor: str, setting: str
) -> None:
    world.settle(people(1))
    with pytest.raises(CredentialsError, match=rf"activate\.destinations\.{vendor}\.{setting}") as refused:
        world.destination(vendor, **{setting: "wrong"}).check()
    assert f"export {vendor.upper()}_{setting.upper()}" in refused.value.hint
    assert "wrong" not in str(refused.value)
    with pytest.raises(CredentialsError, match=setting):
        world.run(vendor, **{setting: "wrong"})
    assert world.lake.read("sync_runs").to_pylist()[0]["status"] == "failed"
    assert world.run(vendor).sent == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_right_key_passes_the_check_and_changes_nothing(world: World, vendor: str) -> None:
    world.destination(vendor).check()
    assert world.holds(vendor) == {}


@pytest.mark.parametrize(
    ("vendor", "lacks", "reason"),
    [
        ("salesforce", {"last_name": None, "company": " "}, "no identifier: LastName, Company"),
        ("meta", {"email": None}, "no identifier: EMAIL"),
        ("meta", {"email": "nobody"}, "not valid: EMAIL"),
    ],
)
def test_who_cannot_be_told_apart_is_counted_and_gets_one_receipt(
    world: World, people: Any, vendor: str, lacks: dict[str, Any], reason: str
) -> None:
    crowd = people(3)
    crowd[2] |= lacks
    world.settle(crowd)
    report = world.run(vendor)
    assert (report.status, report.sent, report.skipped) == ("ok", 2, 1)
    assert [(row["status"], row["reason"]) for row in world.receipts(report)][2] == ("skipped", reason)
    report = world.run(vendor)
    assert (report.skipped, report.unchanged, world.receipts(report)) == (1, 2, [])
    world.settle(people(3))
    report = world.run(vendor)
    assert (report.skipped, report.added, report.sent) == (0, 1, 1)


def test_two_people_with_one_address_are_one_to_meta_until_both_have_left(world: World, people: Any) -> None:
    crowd = people(3)
    crowd[1] |= {"email": " P0@ACME.co", "first_name": crowd[0]["first_name"]}
    world.settle(crowd)
    report = world.run("meta")
    assert (report.sent, report.skipped) == (2, 1)
    world.settle(crowd, ["p0001", "p0002"])
    world.run("meta")
    assert world.members("meta") == {hashed("p0@acme.co"), hashed("p2@acme.co")}
    world.settle(crowd, ["p0002"])
    world.run("meta")
    assert world.members("meta") == {hashed("p2@acme.co")}


def test_a_value_that_is_gone_is_cleared_only_where_we_had_set_it(world: World, people: Any) -> None:
    crowd = [person(0), person(1, email=None)]
    world.settle(crowd)
    world.run("braze")
    assert "email" not in world.holds("braze")["p0001"]
    world.sandbox.post(
        "/braze/users/track",
        json={"attributes": [{"external_id": "p0001", "email": "theirs@acme.co"}]},
        headers={"Authorization": "Bearer sandbox-braze-key"},
    ).raise_for_status()
    world.settle([{**crowd[0], "email": None}, {**crowd[1], "first_name": "Cy"}])
    world.run("braze")
    held = world.holds("braze")
    assert "email" not in held["p0000"]
    assert (held["p0001"]["email"], held["p0001"]["first_name"]) == ("theirs@acme.co", "Cy")


def test_receipts_repeat_no_names_and_addresses(world: World, people: Any) -> None:
    world.settle(people(1))
    (receipt,) = world.receipts(world.run("braze"))
    assert "acme.co" not in receipt["payload"]
    assert '"external_id":"p0000"' in receipt["payload"]
    assert '"propensity":"High"' in receipt["payload"]


def test_another_host_or_target_is_told_everything_again(world: World, people: Any) -> None:
    world.settle(people(2))
    world.run("braze")
    sync = world.sync("braze", target={"attribute": "lists"})
    report = world.run("braze", sync)
    assert (report.added, report.unchanged, report.removed) == (2, 0, 0)
    assert world.run("braze", sync).unchanged == 2


def test_a_holdout_is_never_sent(world: World, people: Any) -> None:
    world.settle(people(2))
    stays = world.lake.read("audience_members").to_pylist()
    arms = [{**row, "arm": "holdout" if row["person_id"] == "p0001" else "all"} for row in stays]
    world.lake.overwrite("audience_members", pa.Table.from_pylist(arms, AUDIENCE_MEMBERS.schema))
    world.run("braze")
    assert world.members("braze") == {"p0000"}


def test_a_whole_table_may_be_sent_without_an_audience(world: World, people: Any) -> None:
    world.settle(people(3), [])
    sync = world.sync("braze", audience=None, model="people", fields={"seen": "last_seen_tstamp"})
    report = world.run("braze", sync)
    assert (report.sent, world.holds("braze")["p0002"]["seen"]) == (3, "2026-04-30T12:00:00.000Z")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"audience": "prospect"}, "audience: 'prospect' was never refreshed"),
        ({"fields": {"email": "e_mail"}}, "email: people has no column 'e_mail'"),
        ({"fields": {"propensity": "form_submited.score"}}, "the prediction 'form_submited' has scored nobody"),
        ({"key": "id"}, "key: people has no column 'id'"),
        ({"identifiers": {"user": "person_id"}}, "Braze has no 'user'"),
        ({"target": {"atribute": "x"}}, "target: atribute: is not a key here"),
        ({"audience": None, "model": "people", "key": "country"}, "country of people is no key"),
    ],
)
def test_a_sync_that_cannot_be_is_refused_with_its_file_and_touches_nobody(
    world: World, people: Any, change: dict[str, Any], says: str
) -> None:
    world.settle(people(2))
    with pytest.raises(DefinitionError, match=says) as refused:
        world.run("braze", world.sync("braze", **change))
    assert str(refused.value).startswith("syncs/to_braze.yml: ")
    assert refused.value.hint
    assert world.requests("braze") == 0


def test_an_audience_that_never_was_takes_nobody_out(world: World, people: Any) -> None:
    world.settle(people(2))
    world.run("braze")
    with pytest.raises(DefinitionError, match="never refreshed"):
        world.run("braze", world.sync("braze", audience="prospct"))
    assert len(world.members("braze")) == 2


def test_a_lake_without_members_says_what_fills_it(world: World) -> None:
    with pytest.raises(LakeError, match="people") as empty:
        world.run("braze")
    assert "catchment build" in empty.value.hint


def test_every_row_planned_has_one_end(world: World, people: Any) -> None:
    crowd = people(160)
    world.settle(crowd)
    world.run("braze")
    for row in crowd[:10]:
        row["email"] = "bad"
    for row in crowd[10:90]:
        row["first_name"] = "Cy"
    world.settle(crowd, [row["person_id"] for row in crowd[:150]])
    world.order("braze", status=500, times=4, after=2)
    report = world.run("braze")
    assert (report.changed, report.removed, report.rejected, report.retry) == (90, 10, 10, 15)
    assert adds_up(report)
    assert report.changed + report.unchanged + report.held == 150
    assert AUDIENCE in world.holds("braze")["p0149"]["catchment_audiences"]
