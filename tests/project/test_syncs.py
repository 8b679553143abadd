"""Syncs of a project: side by side, when they are due, one at a time, with a word to whoever listens."""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from catchment.activate.turn import turn
from catchment.cli.app import app
from catchment.errors import CredentialsError, GuardError, SyncBusy, TransientError
from catchment.project import Project

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
PLUGIN = '''
"""A destination that writes down what it is told."""
import json
import time
from pathlib import Path

from catchment.activate.destination import SENT, Destination, Unanswered
from catchment.errors import CredentialsError


class Diary(Destination):
    """Writes each batch into a folder."""

    folder: str
    fails: bool = False
    waits_for: str = ""
    can_forget = True

    @property
    def address(self):
        return self.folder

    def send(self, batch, caller):
        deadline = time.monotonic() + 20
        while self.waits_for and not (Path(self.folder) / self.waits_for).exists():
            assert time.monotonic() < deadline, "nobody else came"
            time.sleep(0.01)
        if self.fails:
            raise CredentialsError("no", hint="yes")
        with (Path(self.folder) / batch.sync.name).open("a") as file:
            file.write(json.dumps([batch.operation, batch.rows]) + "\\n")
        return [SENT] * len(batch.rows)

    def forget(self, batch, caller):
        if (Path(self.folder) / "silent").exists():
            raise Unanswered("no answer", code="silent", is_silent=True)
        return self.send(batch, caller)
'''

Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make(syncs: dict[str, dict[str, Any]], **destinations: dict[str, Any]) -> Project:
        for folder in ("plugins/activate/destinations", "syncs", "diary"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "plugins/activate/destinations/diary.py").write_text(PLUGIN)
        blocks = {
            name: {"type": "diary", "folder": str(tmp_path / "diary"), **block} for name, block in destinations.items()
        }
        settings = {"name": "test", "activate": {"destinations": blocks}}
        (tmp_path / "catchment.yml").write_text(yaml.safe_dump(settings))
        for name, content in syncs.items():
            given = {"name": name, "model": "people", "identifiers": {"id": "person_id"}, **content}
            (tmp_path / f"syncs/{name}.yml").write_text(yaml.safe_dump(given))
        project = Project.open(tmp_path)
        project.clock = lambda: NOON
        project.lake.overwrite("people", pa.table({"person_id": ["a", "b"], "email": ["a@b.co", "b@b.co"]}))
        return project

    return make


def told(project: Project, sync: str) -> list[Any]:
    file = project.folder / "diary" / sync
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_slow_destination_holds_up_no_other(make: Make) -> None:
    project = make(
        {"a_slow": {"destination": "slow"}, "b_quick": {"destination": "quick"}},
        slow={"waits_for": "b_quick"},
        quick={},
    )
    assert [(report.sync, report.sent) for report in project.sync()] == [("a_slow", 2), ("b_quick", 2)]


def test_one_that_fails_keeps_no_other_from_being_done_and_is_raised_at_the_end(make: Make) -> None:
    project = make({"a": {"destination": "bad"}, "b": {"destination": "good"}}, bad={"fails": True}, good={})
    with pytest.raises(CredentialsError):
        project.sync()
    assert len(told(project, "b")) == 1
    ended = {row["name"]: row["status"] for row in project.lake.read("runs").to_pylist()}
    assert ended == {"a": "failed", "b": "ok"}


def test_syncs_run_when_they_are_due_and_status_says_when(make: Make) -> None:
    project = make(
        {
            "always": {"destination": "d"},
            "hourly": {"destination": "d", "schedule": {"every": "1h"}},
            "by_hand": {"destination": "d", "schedule": {"manual": True}},
            "then": {"destination": "d", "schedule": {"after": "hourly"}},
        },
        d={},
    )
    ticks = count(1)
    project.clock = lambda: NOON + next(ticks) * timedelta(seconds=20)
    assert [report.sync for report in project.sync()] == ["always", "hourly", "then"]
    assert [report.sync for report in project.sync()] == ["always"]
    assert [report.sync for report in project.sync("by_hand")] == ["by_hand"]
    states = {row["what"]: (row["state"], row.get("when")) for row in project.status()}
    assert states["schedule of sync hourly"][0] == "waits"
    assert NOON + timedelta(hours=1) < states["schedule of sync hourly"][1] < NOON + timedelta(hours=2)
    assert states["schedule of sync by_hand"] == ("manual", None)
    project.clock = lambda: NOON + timedelta(days=2, hours=2)
    states = {row["what"]: row["state"] for row in project.status()}
    assert states["schedule of sync hourly"] == "overdue"
    assert [report.sync for report in project.sync_scheduled()] == ["hourly"]


def test_who_listens_is_told_once_that_a_sync_stopped_being_run(make: Make) -> None:
    project = make({"hourly": {"destination": "d", "schedule": {"every": "1h"}}}, d={})
    path = project.folder / "catchment.yml"
    content = yaml.safe_load(path.read_text())
    content["activate"]["alerts"] = {"ops": {"type": "webhook", "url": "http://127.0.0.1:9/nobody"}}
    path.write_text(yaml.safe_dump(content))
    project = Project.open(project.folder)
    project.clock = lambda: NOON
    project.sync()
    project.clock = lambda: NOON + timedelta(days=3)
    assert [sync.name for sync in project.due_syncs()] == ["hourly"]
    told_of = [row["state"] for row in project.lake.read("sync_alerts").to_pylist()]
    assert told_of == ["overdue"]


def test_a_sync_that_is_being_run_is_refused_and_says_by_whom(make: Make) -> None:
    project = make({"a": {"destination": "d"}}, d={})
    with turn(project.folder, "a"), pytest.raises(SyncBusy, match="'a' is being run by process"):
        project.sync("a")
    assert project.sync("a")[0].sent == 2


def test_a_person_is_forgotten_wherever_they_were_sent(make: Make) -> None:
    project = make({"a": {"destination": "one"}, "b": {"destination": "two"}}, one={}, two={})
    project.sync()
    ends = project.forget_in_destinations("a")
    assert [(end.sync, end.row_key, end.status) for end in ends] == [("a", "a", "forgotten"), ("b", "a", "forgotten")]
    assert told(project, "a")[-1] == ["forget", [{"id": "a"}]]
    assert project.forget_in_destinations("nobody") == []


def test_the_command_line_plans_applies_and_keeps_its_short_form(make: Make) -> None:
    threads = threading.active_count()
    project = make({"a": {"destination": "d", "guard": {"remove": 0, "rows": 0}}}, d={})
    runner, at = CliRunner(), ["--project", str(project.folder)]
    planned = runner.invoke(app, ["sync", "plan", "a", *at])
    assert planned.exit_code == 0 and "catchment sync apply a" in planned.output
    assert told(project, "a") == []
    assert runner.invoke(app, ["sync", "apply", "a", *at]).exit_code == 0
    assert len(told(project, "a")) == 1
    project.lake.overwrite("people", pa.table({"person_id": ["a"], "email": ["a@b.co"]}))
    refused = runner.invoke(app, ["sync", "a", *at])
    assert isinstance(refused.exception, GuardError)
    assert runner.invoke(app, ["sync", "a", "--confirm", *at]).exit_code == 0
    assert told(project, "a")[-1] == ["remove", [{"id": "b"}]]
    assert json.loads(runner.invoke(app, ["sync", "--json", *at]).output)["sync"][0]["unchanged"] == 1
    assert threading.active_count() < threads + 20


def test_one_call_forgets_at_destinations_and_then_in_the_lake(make: Make) -> None:
    project = make({"a": {"destination": "one"}, "b": {"destination": "two"}}, one={}, two={})
    project.lake.overwrite("people", pa.table({"person_id": ["person-a", "person-b"], "email": ["a@b.co", "b@b.co"]}))
    project.sync()
    ends = {end.place: end for end in project.forget(person="person-a")}
    assert told(project, "a")[-1] == told(project, "b")[-1] == ["forget", [{"id": "person-a"}]]
    assert ends["vendor: a"].note == ends["vendor: b"].note == "forgotten"
    for table in ("people", "sync_state", "sync_rows"):
        assert "person-a" not in str(project.lake.read(table).to_pylist())
    assert project.lake.read("people")["person_id"].to_pylist() == ["person-b"]


def test_where_a_destination_does_not_answer_the_lake_keeps_what_it_knows(make: Make) -> None:
    project = make({"a": {"destination": "one"}}, one={})
    project.lake.overwrite("people", pa.table({"person_id": ["person-a"], "email": ["a@b.co"]}))
    project.sync()
    (project.folder / "diary/silent").touch()
    with pytest.raises(TransientError, match="not forgotten yet at the destinations of a; nothing is erased here"):
        project.forget(person="person-a")
    assert project.lake.read("people").num_rows == 1
    ends = {end.place: end for end in project.forget(person="person-a", is_here_only=True)}
    assert "still there" in ends["vendor: a"].note
    assert project.lake.read("people").num_rows == 0


def test_an_audience_of_accounts_is_sent_by_the_key_of_accounts(make: Make) -> None:
    sync = {"destination": "d", "model": "accounts", "key": "account_id", "audience": "large"}
    project = make({"a": {**sync, "identifiers": {"id": "account_id"}, "fields": {"name": "company"}}}, d={})
    accounts = {"account_id": ["x", "y"], "company": ["Acme", "Bolt"], "employees": [5, 500]}
    project.lake.overwrite("accounts", pa.table(accounts))
    path = project.folder / "catchment.yml"
    block = {"parents": {"people": {}, "accounts": {"key": "account_id"}}}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "audience": block}))
    (project.folder / "audiences").mkdir()
    (project.folder / "audiences/large.yml").write_text(
        "name: large\nparent: accounts\nwhere: {column: employees, gte: 100}\n"
    )
    project = Project.open(project.folder)
    project.clock = lambda: NOON
    project.refresh()
    assert project.sync("a")[0].sent == 1
    assert told(project, "a") == [["upsert", [{"id": "y", "name": "Bolt"}]]]
