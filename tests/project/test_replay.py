"""Failed events go through enrichment again: exactly once, wherever it is stopped."""

import json
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.cli.replay import read_choice
from catchment.errors import LakeError, SettingsError
from catchment.lake.lake import Lake
from catchment.lake.replays import Choice, Replays
from catchment.project import Project
from catchment.schema.key import Criterion
from tests.project.conftest import (
    RECEIVED,
    Make,
    assert_conserved,
    page_view,
    payload,
    rows,
    self_describing,
    send,
    write_schema,
)

SIGNUP = "iglu:com.acme/signup/jsonschema/1-0-0"
PLACE = "com.acme/signup/jsonschema/1-0-0"
SCHEMA = {"type": "object", "properties": {"plan": {"type": "string"}}, "additionalProperties": False}
SIGNUP_COLUMN = "unstruct_event_com_acme_signup_1"


def fail_signups(project: Project, *plans: Any) -> None:
    """Have events in `failed_events` whose schema nobody has published yet."""
    for plan in plans:
        send(project, payload(self_describing(SIGNUP, {"plan": plan}), page_view(eid=event_id(plan))))
    project.enrich()


def event_id(name: object) -> str:
    return f"00000000-0000-4000-8000-{abs(hash(str(name))) % 10**12:012d}"


def plans_in_lake(project: Project) -> list[str]:
    return sorted(row[SIGNUP_COLUMN]["plan"] for row in rows(project, "events") if row.get(SIGNUP_COLUMN))


def test_a_failed_event_becomes_an_event_once_its_schema_is_published(make_project: Make) -> None:
    project = make_project()
    fail_signups(project, "free", "paid")
    before = rows(project, "failed_events")
    write_schema(project, PLACE, SCHEMA)
    (report,) = project.replay(Choice(types=["schema_violations"]))
    assert (report.sent, report.events, report.failed) == (2, 2, 0)
    assert plans_in_lake(project) == ["free", "paid"]
    after = rows(project, "failed_events")
    assert all(row["replayed_tstamp"] is not None for row in after)
    assert sorted(map(str, ({**row, "replayed_tstamp": None} for row in after))) == sorted(map(str, before))
    assert {row["event_id"] for row in before} <= {row["event_id"] for row in rows(project, "events")}
    assert_conserved(project)


def test_what_was_replayed_is_never_replayed_again(make_project: Make) -> None:
    project = make_project()
    fail_signups(project, "free")
    write_schema(project, PLACE, SCHEMA)
    project.replay(Choice())
    assert project.replay(Choice()) == []
    assert project.count("events") == 2


def test_one_that_fails_again_is_a_new_row_that_names_its_ancestor(make_project: Make) -> None:
    project = make_project()
    fail_signups(project, 7)
    (first,) = rows(project, "failed_events")
    project.replay(Choice())
    write_schema(project, PLACE, SCHEMA)
    project.replay(Choice())
    by_ancestor = {row["ancestor_id"]: row for row in rows(project, "failed_events")}
    second = by_ancestor[first["failed_id"]]
    third = by_ancestor[second["failed_id"]]
    assert [row["code"] for row in (first, second, third)] == ["unknown_schema", "unknown_schema", "invalid"]
    assert [row["event_id"] for row in (second, third)] == [first["event_id"]] * 2
    assert third["original"] == first["original"]
    assert third["replayed_tstamp"] is None
    assert_conserved(project)


def test_the_dry_run_counts_and_changes_nothing(make_project: Make) -> None:
    project = make_project()
    fail_signups(project, "free", "paid")
    versions = {table: project.lake.version(table) for table in project.lake.tables()}
    (counted,) = project.preview_replay(Choice())
    assert (counted["type"], counted["schema"], counted["failed_events"]) == ("schema_violations", SIGNUP, 2)
    assert {table: project.lake.version(table) for table in project.lake.tables()} == versions


def test_a_choice_is_by_type_schema_time_application_and_id(make_project: Make) -> None:
    project = make_project()
    bad = self_describing(SIGNUP, {}, aid="shop", eid="00000000-0000-4000-8000-000000000001")
    send(project, payload(bad), payload({"e": "pv"}), payload(page_view(vid="many"), collector_tstamp=RECEIVED + DAY))
    project.enrich()

    def chosen(**parts: Any) -> int:
        return sum(row["failed_events"] for row in project.preview_replay(Choice(**parts)))

    criterion = Criterion.parse("iglu:com.acme/*/jsonschema/1-*-*")
    assert criterion is not None
    assert chosen() == 3
    assert chosen(types=["tracker_protocol_violations"]) == 1
    assert chosen(schemas=[criterion]) == 1
    assert chosen(app_ids=["shop"]) == 1
    assert chosen(event_ids=["00000000-0000-4000-8000-000000000001"]) == 1
    assert chosen(since=RECEIVED + DAY) == 1
    assert chosen(until=RECEIVED + DAY) == 2
    assert chosen(failed_ids=[rows(project, "failed_events")[0]["failed_id"]]) == 1
    assert chosen(types=["schema_violations"], app_ids=["shop"], until=RECEIVED) == 0


DAY = timedelta(days=1)


def test_an_event_that_breaks_the_protocol_is_judged_by_it_again(make_project: Make) -> None:
    project = make_project()
    send(project, payload({"e": "pv", "p": "web"}, page_view()))
    project.enrich()
    project.replay(Choice())
    assert [row["type"] for row in rows(project, "failed_events")] == ["tracker_protocol_violations"] * 2
    assert project.count("events") == 1


def test_a_payload_that_could_not_be_parted_is_parted_anew(make_project: Make) -> None:
    project = make_project()
    send(project, payload(page_view(), page_view(vid="x"), content_type="text/plain"))
    project.enrich()
    (project.folder / "repairs.py").write_text(
        "def as_json(event):\n    event['payload']['content_type'] = 'application/json'\n    return event\n"
    )
    (report,) = project.replay(Choice(), repair="repairs:as_json")
    assert (report.sent, report.events, report.failed) == (1, 1, 1)
    parent, child = sorted(rows(project, "failed_events"), key=lambda row: row["ancestor_id"] or "")
    assert child["ancestor_id"] == parent["failed_id"]
    assert json.loads(parent["original"])["payload"]["content_type"] == "text/plain"
    assert_conserved(project)


def test_a_repair_mends_leaves_alone_or_fails_with_what_it_raised(make_project: Make) -> None:
    project = make_project()
    write_schema(project, PLACE, SCHEMA)
    fail_signups(project, 1, 2, 3)
    (project.folder / "repairs.py").write_text(
        "import json\n"
        "def name_the_plan(event):\n"
        "    told = json.loads(event['parameters']['ue_pr'])\n"
        "    plan = told['data']['data']['plan']\n"
        "    if plan == 2:\n"
        "        return None\n"
        "    told['data']['data']['plan'] = {1: 'one'}[plan]\n"
        "    event['parameters']['ue_pr'] = json.dumps(told)\n"
        "    return event\n"
    )
    (report,) = project.replay(Choice(), repair="repairs:name_the_plan")
    assert (report.sent, report.events, report.failed) == (2, 1, 1)
    assert plans_in_lake(project) == ["one"]
    failed = rows(project, "failed_events")
    assert Counter(row["type"] for row in failed) == {"schema_violations": 3, "recovery_error": 1}
    assert sum(row["replayed_tstamp"] is None for row in failed) == 2
    (told,) = [row for row in failed if row["type"] == "recovery_error"]
    assert "KeyError: 3" in told["message"]
    assert_conserved(project)


@pytest.mark.parametrize(("name", "says"), [("repairs", "names no function"), ("none:at_all", "finds no file")])
def test_a_repair_that_is_not_there_is_named_before_anything_is_done(make_project: Make, name: str, says: str) -> None:
    project = make_project()
    fail_signups(project, 1)
    with pytest.raises(SettingsError, match=says):
        project.replay(Choice(), repair=name)
    assert not project.lake.exists("replays")


def test_what_was_taken_out_on_purpose_is_replayed_only_where_it_is_named(make_project: Make) -> None:
    project = make_project(enrich={"enrichments": [{"type": "fingerprint"}, {"type": "deduplicate"}]})
    send(project, payload(page_view(eid=event_id(1))), payload(page_view(eid=event_id(1))))
    project.enrich()
    assert project.preview_replay(Choice()) == []
    assert project.preview_replay(Choice(types=["duplicate_event"]))[0]["failed_events"] == 1


def test_two_replays_at_once_do_not_send_anything_twice(make_project: Make) -> None:
    project = make_project()
    fail_signups(project, "free")
    with project._alone(), pytest.raises(LakeError, match="going on"):
        Project.open(project.folder).replay(Choice())
    here, elsewhere = Replays(project.lake), Replays(project.lake)
    chosen = [here.choose(Choice()), elsewhere.choose(Choice())]
    here.write_plan(chosen[0], "", datetime.now(UTC))
    with pytest.raises(LakeError, match="same moment"):
        elsewhere.write_plan(chosen[1], "", datetime.now(UTC))


@pytest.mark.parametrize(
    ("text", "says"),
    [("types=x", "NAME=VALUE"), ("schema_violations", "NAME=VALUE"), ("schema=acme", "iglu:"), ("since=today", "2026")],
)
def test_a_choice_that_is_none_is_named_with_the_mend(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_choice([text])
    assert text in str(caught.value)
    assert says in caught.value.hint


def test_a_choice_is_read_from_names_and_values() -> None:
    read = read_choice(["type=a", "type=b", "app_id=shop", "since=2026-03-01"])
    assert read == Choice(types=["a", "b"], app_ids=["shop"], since=datetime(2026, 3, 1, tzinfo=UTC))
    assert read_choice(["all"]) == Choice()


class Killed(BaseException):
    """The process ends here; nothing of ours may catch it."""


class KilledAfter:
    """Ends the process, as far as the code can tell, after the n-th write to the lake."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.left = at
        write, mark = Lake._write, Replays.mark
        kill = self

        def dying_write(lake: Lake, *arguments: Any, **how: Any) -> None:
            kill.step(lambda: write(lake, *arguments, **how))

        def dying_mark(replays: Replays, *arguments: Any) -> None:
            kill.step(lambda: mark(replays, *arguments))

        monkeypatch.setattr(Lake, "_write", dying_write)
        monkeypatch.setattr(Replays, "mark", dying_mark)

    def step(self, write: Any) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1
        write()
        if self.left == 0:
            raise Killed


@pytest.mark.parametrize("schema_changes", [False, True], ids=["", "and the schema changes meanwhile"])
@pytest.mark.parametrize("at", range(1, 6))
def test_killed_after_any_write_and_run_again_nothing_is_lost_or_doubled(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, at: int, schema_changes: bool
) -> None:
    project = make_project()
    fail_signups(project, "free", "paid", 7)
    send(project, payload({"e": "pv", "p": "web"}))
    project.enrich()
    ancestors = {row["failed_id"] for row in rows(project, "failed_events")}
    write_schema(project, PLACE, SCHEMA)
    with monkeypatch.context() as patch:
        KilledAfter(patch, at)
        with pytest.raises(Killed):
            project.replay(Choice())
            raise Killed
    if schema_changes:
        write_schema(project, PLACE, {"type": "object", "properties": {"plan": {"type": "integer"}}})
    again = Project.open(project.folder)
    again.replay(Choice(failed_ids=sorted(ancestors)))
    assert_each_came_out_once(again, ancestors)
    assert Project.open(project.folder).replay(Choice(failed_ids=sorted(ancestors))) == []


def assert_each_came_out_once(project: Project, ancestors: set[str]) -> None:
    failed = rows(project, "failed_events")
    assert all(row["replayed_tstamp"] is not None for row in failed if row["failed_id"] in ancestors)
    came_out = Counter(row["event_id"] for row in rows(project, "events"))
    came_out.update(row["event_id"] for row in failed if row["ancestor_id"] in ancestors)
    assert {row["event_id"]: 1 for row in failed if row["failed_id"] in ancestors}.items() <= came_out.items()
    assert set(came_out.values()) == {1}
    assert_conserved(project)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["free", "paid", 7, None, "protocol", "good"]), max_size=12))
def test_whatever_failed_comes_out_once_however_often_it_is_replayed(
    tmp_path_factory: pytest.TempPathFactory, names: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "catchment.yml").write_text("name: test\n")
    project = Project.open(folder)
    known: dict[Any, Any] = {"protocol": {"e": "pv"}, "good": page_view()}
    events = [known.get(name, self_describing(SIGNUP, {"plan": name})) for name in names]
    send(project, *(payload(*events[start : start + 5]) for start in range(0, len(events), 5)))
    project.enrich()
    write_schema(project, PLACE, SCHEMA)
    for _ in range(3):
        project.replay(Choice())
    assert plans_in_lake(project) == sorted(name for name in names if name in ("free", "paid"))
    still = [row for row in rows(project, "failed_events") if row["replayed_tstamp"] is None]
    assert len(still) == sum(name in (7, None, "protocol") for name in names)
    assert_conserved(project)


def test_killed_for_real_and_run_again_each_came_out_once(make_project: Make) -> None:
    project = make_project()
    send(project, *(payload(*(self_describing(SIGNUP, {"plan": f"{n}-{m}"}) for m in range(50))) for n in range(60)))
    project.enrich()
    ancestors = {row["failed_id"] for row in rows(project, "failed_events")}
    write_schema(project, PLACE, SCHEMA)
    command = [sys.executable, "-c", "from catchment.cli import main; main()", "replay", "all", "--project"]
    child = subprocess.Popen([*command, str(project.folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 60
    while not (Path(project.lake.uri) / "events" / "_delta_log").exists() and child.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.01)
    child.kill()
    child.wait()
    again = Project.open(project.folder)
    again.replay(Choice())
    assert_each_came_out_once(again, ancestors)
    assert again.count("events") == len(ancestors) == 3_000
