"""What each mode sends, what becomes of leavers, and what an empty value does, as the destination sees it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field, PrivateAttr

from catchment.activate.batch import SENT, Batch, Job, Limits, Outcome, Refused
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination
from catchment.activate.turn import turn
from catchment.errors import DefinitionError, SyncBusy

from .conftest import World

MODES = ("mirror", "upsert", "insert", "update", "add", "remove", "snapshot", "event")


class Notebook(Destination):
    """A destination that notes what it is told, and answers as a test says."""

    modes: ClassVar[Any] = MODES
    leaves: ClassVar[Any] = ("remove", "archive", "clear")
    batch_limits: ClassVar[Limits] = Limits(rows=2, row_bytes=2_000)
    can_read: ClassVar[bool] = True

    remembers: bool = Field(default=False, description="Takes a batch that it knows only once.")
    is_late: bool = Field(default=False, description="Answers with jobs.")
    charges: bool = False
    _told: list[Batch] = PrivateAttr(default_factory=list)
    _answers: list[Any] = PrivateAttr(default_factory=list)
    _theirs: dict[str, dict[str, Any]] = PrivateAttr(default_factory=dict)
    _open_polls: int = PrivateAttr(default=0)

    @property
    def charges_for_fields(self) -> bool:  # type: ignore[override]
        return self.charges

    @property
    def address(self) -> str:
        return "notebook"

    def is_repeatable(self, sync: Sync, operation: Any) -> bool:
        return self.remembers or super().is_repeatable(sync, operation)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome] | Job:
        answer = self._answers.pop(0) if self._answers else None
        self._told.append(batch)
        if isinstance(answer, BaseException):
            raise answer
        if self.is_late:
            return Job(f"job-{len(self._told)}", {"count": len(batch.rows)})
        return answer or [SENT] * len(batch.rows)

    def poll(self, job: Job, batch: Batch, caller: Caller) -> list[Outcome] | None:
        if self._open_polls:
            self._open_polls -= 1
            return None
        assert job.facts["count"] == len(batch.rows)
        return [SENT] * len(batch.rows)

    def read(self, batch: Batch, caller: Caller) -> list[dict[str, Any]]:
        return [self._theirs.get(key, {}) for key in batch.keys]

    def told(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """Give what was told since last asked: operations and rows."""
        said = [(batch.operation, batch.rows) for batch in self._told]
        self._told.clear()
        return said


@pytest.fixture
def notebook() -> Notebook:
    return Notebook(name="notebook")


def declared(**changes: Any) -> Sync:
    content = {"name": "noted", "destination": "notebook", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "fields": {"email": "email", "name": "first_name"}, **changes}, "syncs/noted.yml")


def kinds(said: Sequence[tuple[str, list[dict[str, Any]]]]) -> list[tuple[str, str]]:
    return [(operation, row["id"]) for operation, rows in said for row in rows]


@pytest.mark.parametrize(
    ("mode", "first", "changed", "left"),
    [
        ("mirror", "upsert", "upsert", ("remove", "p0001")),
        ("upsert", "upsert", "upsert", None),
        ("add", "upsert", "upsert", None),
        ("update", "update", "update", None),
        ("insert", "insert", None, None),
        ("event", "event", None, None),
        ("remove", "remove", "remove", None),
    ],
)
def test_a_mode_says_what_is_sent_and_what_becomes_of_leavers(
    world: World, people: Any, notebook: Notebook, mode: str, first: str, changed: str | None, left: Any
) -> None:
    sync, crowd = declared(mode=mode), people(2)
    world.settle(crowd)
    world.carry(sync, notebook)
    assert kinds(notebook.told()) == [(first, "p0000"), (first, "p0001")]
    assert world.carry(sync, notebook).unchanged == 2
    crowd[0]["email"] = "new@acme.co"
    world.settle(crowd[:1])
    world.carry(sync, notebook)
    expected = [left] if left else []
    expected += [(changed, "p0000")] if changed else []
    assert kinds(notebook.told()) == expected


def test_a_snapshot_sends_everybody_every_time(world: World, people: Any, notebook: Notebook) -> None:
    sync = declared(mode="snapshot")
    world.settle(people(3))
    world.carry(sync, notebook)
    assert [(len(batch.rows), batch.number, batch.is_last, batch.total) for batch in notebook._told] == [
        (2, 1, False, 3),
        (1, 2, True, 3),
    ]
    notebook.told()
    world.settle(people(2))
    report = world.carry(sync, notebook)
    assert kinds(notebook.told()) == [("upsert", "p0000"), ("upsert", "p0001")]
    assert (report.changed, report.removed) == (2, 0)


@pytest.mark.parametrize(
    ("on_leave", "row"),
    [
        ("remove", {"id": "p0001", "email": "p1@acme.co", "name": "Ann1"}),
        ("archive", {"id": "p0001", "email": "p1@acme.co", "name": "Ann1"}),
        ("clear", {"id": "p0001", "email": None, "name": None}),
    ],
)
def test_leavers_are_removed_archived_or_cleared(
    world: World, people: Any, notebook: Notebook, on_leave: str, row: dict[str, Any]
) -> None:
    sync = declared(on_leave=on_leave)
    world.settle(people(2))
    world.carry(sync, notebook)
    notebook.told()
    world.settle(people(1))
    world.carry(sync, notebook)
    assert notebook.told() == [(on_leave, [row])]


@pytest.mark.parametrize(
    ("empty", "sent"),
    [("clear", {"id": "p0000", "email": None, "name": "Cy"}), ("skip", {"id": "p0000", "name": "Cy"})],
)
def test_an_empty_value_clears_what_we_set_or_is_skipped(
    world: World, people: Any, notebook: Notebook, empty: str, sent: dict[str, Any]
) -> None:
    sync = declared(empty=empty)
    world.settle(people(1))
    world.carry(sync, notebook)
    notebook.told()
    world.settle([{**people(1)[0], "email": None, "first_name": "Cy"}])
    world.carry(sync, notebook)
    assert notebook.told() == [("upsert", [sent])]


def test_only_if_empty_fills_what_is_empty_there_and_nothing_else(
    world: World, people: Any, notebook: Notebook
) -> None:
    sync = declared(fields={"email": {"column": "email", "empty": "only_if_empty"}, "name": "first_name"})
    notebook._theirs["p0000"] = {"email": "theirs@acme.co"}
    world.settle(people(2))
    world.carry(sync, notebook)
    assert notebook.told() == [
        ("upsert", [{"id": "p0000", "name": "Ann0"}, {"id": "p0001", "name": "Ann1", "email": "p1@acme.co"}])
    ]


def test_a_destination_that_cannot_be_asked_refuses_only_if_empty(world: World, people: Any) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match="cannot be asked what it holds"):
        world.run("meta", world.sync("meta", empty="only_if_empty"))


def test_where_fields_are_charged_for_only_changed_ones_are_sent(world: World, people: Any) -> None:
    notebook = Notebook(name="notebook", charges=True)
    crowd = people(2)
    world.settle(crowd)
    world.carry(declared(), notebook)
    assert notebook.told()[0][1][0] == {"id": "p0000", "email": "p0@acme.co", "name": "Ann0"}
    world.settle([{**crowd[0], "first_name": "Cy"}, {**crowd[1], "email": None}])
    world.carry(declared(), notebook)
    assert notebook.told() == [("upsert", [{"id": "p0000", "name": "Cy"}, {"id": "p0001", "email": None}])]


def test_a_row_over_the_limit_is_rejected_here_and_the_others_are_sent(
    world: World, people: Any, notebook: Notebook
) -> None:
    crowd = people(3)
    crowd[1]["first_name"] = "x" * 3_000
    world.settle(crowd)
    report = world.carry(declared(), notebook)
    assert (report.sent, report.rejected) == (2, 1)
    assert kinds(notebook.told()) == [("upsert", "p0000"), ("upsert", "p0002")]
    assert world.receipts(report)[1]["code"] == "too_large"


def test_a_variable_is_filled_in_and_alone_sends_nothing_again(world: World, people: Any, notebook: Notebook) -> None:
    sync = declared(fields={"run": {"variable": "run_id"}})
    world.settle(people(1))
    report = world.carry(sync, notebook)
    assert notebook.told() == [("upsert", [{"id": "p0000", "run": report.run_id}])]
    assert world.carry(sync, notebook).unchanged == 1


def test_waits_between_attempts_grow_and_nothing_is_tried_before(world: World, people: Any, notebook: Notebook) -> None:
    world.settle(people(1))
    for _ in range(2):
        notebook._answers = [Unanswered("no", code="503", may_have_acted=False)]
        assert world.carry(declared(), notebook).retry == 1
    state = world.lake.read("sync_state").to_pylist()[0]
    assert (state["attempts"], state["next_attempt_at"] - world.now) == (2, timedelta(minutes=2))
    notebook.told()
    world.now -= timedelta(minutes=59)
    assert world.carry(declared(), notebook).waiting == 1
    assert notebook.told() == []
    assert world.carry(declared(), notebook).sent == 1


def test_events_of_unknown_outcome_are_sent_again_only_where_they_are_known_again(world: World, people: Any) -> None:
    for remembers in (True, False):
        notebook = Notebook(name="notebook", remembers=remembers)
        sync = declared(name=f"events_{remembers}".lower(), mode="event")
        world.settle(people(3))
        notebook._answers = [Unanswered("silence", code="ReadTimeout", is_silent=True)]
        report = world.carry(sync, notebook)
        assert (report.unknown, report.sent) == (2, 1)
        lost = notebook._told[0]
        notebook.told()
        report = world.carry(sync, notebook)
        again = [(batch.id, batch.keys, batch.rows) for batch in notebook._told]
        assert again == ([(lost.id, lost.keys, lost.rows)] if remembers else [])
        assert report.held == (0 if remembers else 2)


def test_events_on_their_way_when_a_run_was_killed_are_reported_and_not_repeated(
    world: World, people: Any, notebook: Notebook
) -> None:
    world.settle(people(3))
    notebook._answers = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        world.carry(declared(mode="event"), notebook)
    notebook.told()
    report = world.carry(declared(mode="event"), notebook)
    assert kinds(notebook.told()) == [("event", "p0002")]
    assert (report.held, report.sent) == (2, 1)
    assert [(row["row_key"], row["code"]) for row in world.receipts(report)] == [
        ("p0000", "killed"),
        ("p0001", "killed"),
        ("p0002", None),
    ]


def test_a_job_is_remembered_before_it_is_asked_about_and_asked_again_by_the_next_run(
    world: World, people: Any
) -> None:
    notebook = Notebook(name="notebook", is_late=True)
    notebook._open_polls = 1_000
    world.settle(people(2))
    report = world.carry(declared(), notebook)
    assert (report.added, report.sent, report.status) == (2, 0, "pending")
    assert {row["last_status"] for row in world.lake.read("sync_state").to_pylist()} == {"pending"}
    notebook._open_polls = 0
    notebook.told()
    report = world.carry(declared(), notebook)
    assert notebook.told() == []
    assert (report.unchanged, report.status) == (2, "ok")
    assert [row["status"] for row in world.receipts(report)] == ["sent", "sent"]


def test_a_refused_batch_is_halved(world: World, people: Any, notebook: Notebook) -> None:
    world.settle(people(2))
    notebook._answers = [Refused("no", code="400"), Refused("this one", code="400")]
    report = world.carry(declared(), notebook)
    assert (report.sent, report.rejected) == (1, 1)


def test_what_a_destination_has_not_is_refused_before_anything_is_sent(world: World, people: Any) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match="mode: Braze has no 'snapshot'"):
        world.run("braze", world.sync("braze", mode="snapshot"))
    with pytest.raises(DefinitionError, match="on_leave: Braze has no 'archive'"):
        world.run("braze", world.sync("braze", on_leave="archive"))
    assert Path(world.lake.uri).exists()


def test_two_runs_of_one_sync_at_once_are_one_too_many(world: World, tmp_path: Path) -> None:
    with turn(tmp_path, "noted"), turn(tmp_path, "other"):
        busy = pytest.raises(SyncBusy, match="'noted' is being run by process")
        with busy, turn(tmp_path, "noted"):
            pass
    with turn(tmp_path, "noted"):
        pass
