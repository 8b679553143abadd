"""Every destination sits the same exam: what it declares, and what it makes of each way a vendor may answer."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import orjson
import polars as pl
import pytest
from pydantic import SecretStr

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch, Job, Operation, Outcome
from catchment.activate.caller import Caller, open_caller
from catchment.activate.definition import Leave, Mode, parse_sync
from catchment.activate.deliver import send_in_halves
from catchment.activate.destination import Destination, WebDestination, open_destination
from catchment.activate.render import ROW_KEY, render_rows
from catchment.errors import CatchmentError, CredentialsError
from catchment.plugin import list_plugins
from catchment.sandbox.vendor import find_vendors

from .conftest import World, person
from .exam import Exam, Place, find_exams

EXAMS = find_exams()
WEB = [name for name, exam in EXAMS.items() if exam.is_web]
SPOILED = [name for name, exam in EXAMS.items() if exam.spoil is not None]
ADDS = ("mirror", "upsert", "add", "snapshot")


class Desk(NamedTuple):
    """One destination at its exam."""

    exam: Exam
    destination: Destination
    place: Place
    world: World
    slept: list[float]

    def batch(self, count: int, operation: Operation | None = None, first: int = 0) -> Batch:
        """Make a batch of so many people, as the engine would."""
        content = {"model": "people", "mode": self.mode, **self.exam.sync, "name": "exam", "destination": "exam"}
        sync = parse_sync(content, "syncs/exam.yml")
        self.destination.accept(sync)
        people = [person(number, **self.exam.person) for number in range(first, first + count)]
        rows = pl.DataFrame(people).rename({"person_id": ROW_KEY}).with_columns(pl.col(ROW_KEY).alias("person_id"))
        wanted = render_rows(rows, sync, self.destination).wanted
        payloads = [_without_nulls(orjson.loads(text)) for text in wanted["payload"]]
        keys = tuple(wanted["row_key"])
        kind = operation or ("upsert" if sync.mode in ADDS else sync.mode)
        return Batch(sync, kind, payloads, keys, id=f"exam-{first}-{count}", run_id="run", total=count)

    @property
    def mode(self) -> str:
        """The first mode that it declares."""
        return str(self.destination.modes[0])

    def send(self, batch: Batch) -> list[Outcome]:
        """Send as the engine does, and wait for what is done later."""
        with open_caller(self.slept.append, told=self.destination.wait_s) as caller:
            return [outcome for part, done in send_in_halves(self.destination, batch, caller)
                    for outcome in self._finish(done, part, caller)]  # fmt: skip

    def _finish(self, done: list[Outcome] | Job, batch: Batch, caller: Caller) -> list[Outcome]:
        for _ in range(100):
            if not isinstance(done, Job):
                return done
            done = self.destination.poll(done, batch, caller) or done
        raise AssertionError("The job does not end.")

    def expect(self, rows: list[dict[str, Any]]) -> set[str]:
        """Say how these payloads are known there."""
        return {self.exam.known_as(row) for row in rows}

    def held(self) -> set[str]:
        """Say what is there."""
        return self.exam.held(self.place)


def _without_nulls(payload: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in payload.items() if value is not None}


@pytest.fixture
def sit(world: World, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    opened: list[Destination] = []

    def sit(name: str, **changes: Any) -> Desk:
        exam = EXAMS[name]
        place = Place(name, world.sandbox, tmp_path)
        block = {"type": name, **exam.settings(place), **changes}
        destination = open_destination(ActivateSettings(destinations={name: block}), name, tmp_path)
        opened.append(destination)
        return Desk(exam, destination, place, world, [])

    yield sit
    for destination in opened:
        destination.close()


def secrets_of(destination: Destination) -> list[str]:
    return [name for name, value in destination if isinstance(value, SecretStr)]


def test_every_destination_has_an_exam_and_every_vendor_a_place_in_the_sandbox() -> None:
    assert set(EXAMS) == set(list_plugins("activate/destinations"))
    assert set(WEB) <= set(find_vendors())


@pytest.mark.parametrize("name", EXAMS)
def test_it_declares_what_the_engine_reads(sit: Callable[..., Desk], name: str) -> None:
    destination = sit(name).destination
    assert set(destination.modes) <= set(get_args(Mode)) and destination.modes
    assert set(destination.leaves) <= set(get_args(Leave))
    assert all(limit is None or limit > 0 for limit in destination.batch_limits)
    assert destination.pace.concurrent >= 1
    assert destination.address and destination.credential
    assert (type(destination).forget is not Destination.forget) == destination.can_forget
    assert (type(destination).read is not Destination.read) == destination.can_read
    assert all(field.description for field in type(destination).model_fields.values())
    assert isinstance(destination, WebDestination) or not EXAMS[name].is_web


@pytest.mark.parametrize("name", EXAMS)
def test_what_is_accepted_is_there(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    desk.destination.check()
    batch = desk.batch(5)
    assert Counter(outcome.status for outcome in desk.send(batch)) == {"sent": 5}
    assert desk.held() == desk.expect(batch.rows)


@pytest.mark.parametrize("name", EXAMS)
def test_what_is_repeatable_comes_to_the_same_sent_twice(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    batch = desk.batch(3)
    if not desk.destination.is_repeatable(batch.sync, batch.operation):
        pytest.skip(f"{name} says that such a batch may not be sent twice")
    desk.send(batch)
    desk.send(batch)
    assert desk.held() == desk.expect(batch.rows)


@pytest.mark.parametrize("name", EXAMS)
def test_who_leaves_is_taken_out_and_nobody_else(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    if "mirror" not in desk.destination.modes:
        pytest.skip(f"{name} has no mirror: it takes nobody out")
    batch = desk.batch(4)
    desk.send(batch)
    gone = batch._replace(operation=desk.destination.leaves[0], rows=batch.rows[:2], keys=batch.keys[:2], id="gone")
    assert Counter(outcome.status for outcome in desk.send(gone)) == {"sent": 2}
    assert desk.held() == desk.expect(batch.rows[2:])


@pytest.mark.parametrize("name", EXAMS)
def test_a_person_who_must_be_forgotten_is_gone_or_it_is_said_that_nobody_can(
    sit: Callable[..., Desk], name: str
) -> None:
    desk = sit(name)
    batch = desk.batch(3)
    desk.send(batch)
    first = batch._replace(operation="forget", rows=batch.rows[:1], keys=batch.keys[:1], id="forget")
    with open_caller(desk.slept.append) as caller:
        (outcome,) = desk.destination.forget(first, caller)
    if desk.destination.can_forget:
        assert outcome.status == "sent"
        assert desk.held() == desk.expect(batch.rows[1:])
    else:
        assert (outcome.status, outcome.code) == ("rejected", "no_deletion") and outcome.reason


@pytest.mark.parametrize("name", SPOILED)
def test_of_a_half_accepted_batch_exactly_the_bad_row_is_rejected_with_a_reason(
    sit: Callable[..., Desk], name: str
) -> None:
    desk = sit(name)
    batch = desk.batch(5)
    assert desk.exam.spoil is not None
    rows = [*batch.rows[:2], desk.exam.spoil(batch.rows[2]), *batch.rows[3:]]
    outcomes = desk.send(batch._replace(rows=rows))
    assert [outcome.status for outcome in outcomes] == ["sent", "sent", "rejected", "sent", "sent"]
    assert outcomes[2].reason
    assert desk.held() == desk.expect([*batch.rows[:2], *batch.rows[3:]])


@pytest.mark.parametrize("name", WEB)
def test_a_wrong_key_is_named_by_its_setting_and_no_row_is_blamed(sit: Callable[..., Desk], name: str) -> None:
    for secret in secrets_of(sit(name).destination):
        desk = sit(name, **{secret: "wrong"})
        with pytest.raises(CredentialsError, match=rf"activate\.destinations\.{name}\.") as refused:
            desk.destination.check()
        assert "wrong" not in str(refused.value) and refused.value.hint
        with pytest.raises(CredentialsError):
            desk.send(desk.batch(1))
        assert desk.held() == set()


@pytest.mark.parametrize("name", WEB)
def test_429_is_waited_out_as_long_as_it_says(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    batch = desk.batch(2)
    desk.world.order(name, status=429, times=2, retry_after_s=7)
    assert [outcome.status for outcome in desk.send(batch)] == ["sent", "sent"]
    assert [round(pause) for pause in desk.slept if pause > 5] == [7, 7]
    assert desk.held() == desk.expect(batch.rows)


@pytest.mark.parametrize("name", WEB)
def test_500_is_tried_again_and_then_left_without_a_verdict(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    batch = desk.batch(2)
    desk.world.order(name, status=500, times=1)
    may_repeat = desk.destination.is_repeatable(batch.sync, batch.operation)
    assert {outcome.status for outcome in desk.send(batch)} == {"sent" if may_repeat else "unknown"}
    desk.world.order(name, status=500, times=4)
    assert {outcome.status for outcome in desk.send(batch)} <= {"retry", "unknown"}


@pytest.mark.parametrize("name", WEB)
def test_a_400_is_never_taken_for_sent(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    batch = desk.batch(1)
    desk.world.order(name, status=400, times=50)
    try:
        outcomes = desk.send(batch)
    except CatchmentError as error:
        assert error.hint
    else:
        assert [outcome.status for outcome in outcomes] in (["rejected"], ["retry"])
    assert desk.held() == set()


@pytest.mark.parametrize("name", WEB)
def test_no_answer_after_the_work_was_done_is_unknown_and_may_go_again(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    desk.send(desk.batch(1))
    batch = desk.batch(3, first=1)
    desk.world.order(name, drop=True, accepted=True, times=4)
    assert [outcome.status for outcome in desk.send(batch)] == ["unknown"] * 3
    desk.world.sandbox.delete("/sandbox/faults").raise_for_status()
    if desk.destination.is_repeatable(batch.sync, batch.operation):
        desk.send(batch)
        assert desk.held() == desk.expect([*desk.batch(1).rows, *batch.rows])


@pytest.mark.parametrize("name", WEB)
def test_an_answer_that_makes_no_sense_is_never_taken_for_sent(sit: Callable[..., Desk], name: str) -> None:
    desk = sit(name)
    if not desk.destination.tells_rows:
        pytest.skip(f"{name} says nothing of single rows")
    batch = desk.batch(1)
    for body in ("<html>gateway</html>", ["what?"], {}):
        desk.world.order(name, status=418, times=50, body=body)
        try:
            outcomes = desk.send(batch)
        except CatchmentError:
            outcomes = []
        assert "sent" not in {outcome.status for outcome in outcomes}
        desk.world.sandbox.delete("/sandbox/faults").raise_for_status()
