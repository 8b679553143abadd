"""The right to be forgotten reaches destinations: deletion where there is one, a word where there is none."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from catchment.activate.batch import SENT, Batch, Outcome
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.forget import Forgotten, forget_rows, person_keys

from .conftest import World
from .test_modes import Notebook, declared


class Forgetful(Notebook):
    """A destination that can delete people."""

    can_forget: ClassVar[bool] = True

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        self._told.append(batch)
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, BaseException):
            raise answer
        return [SENT] * len(batch.rows)


def forget(world: World, notebook: Notebook, keys: Sequence[str], **changes: Any) -> list[Forgotten]:
    return forget_rows(declared(**changes), notebook, world.ground(), keys, "run")


def test_a_person_is_deleted_there_and_nothing_of_them_is_kept_here(world: World, people: Any) -> None:
    notebook = Forgetful(name="notebook")
    world.settle(people(2))
    world.carry(declared(), notebook)
    notebook.told()
    (done,) = forget(world, notebook, ["p0001"])
    assert (done.row_key, done.status) == ("p0001", "forgotten")
    assert notebook.told() == [("forget", [{"id": "p0001", "email": "p1@acme.co", "name": "Ann1"}])]
    (row,) = [row for row in world.lake.read("sync_state").to_pylist() if row["row_key"] == "p0001"]
    assert (row["last_status"], row["payload"], row["identity"], row["tried_payload"]) == (
        "forgotten",
        None,
        None,
        None,
    )
    receipts = [row for row in world.lake.read("sync_rows").to_pylist() if row["operation"] == "forget"]
    assert [(row["status"], row["payload"]) for row in receipts] == [("sent", None)]
    world.settle(people(1))
    assert world.carry(declared(), notebook).removed == 0


def test_where_there_is_no_deletion_the_person_is_taken_out_and_it_is_said(world: World, people: Any) -> None:
    notebook = Notebook(name="notebook")
    world.settle(people(1))
    world.carry(declared(), notebook)
    notebook.told()
    (done,) = forget(world, notebook, ["p0000"])
    assert (done.status, done.reason) == ("taken_out", "Notebook has no deletion by API; ask for it there")
    assert [operation for operation, _ in notebook.told()] == ["remove"]


def test_where_nothing_can_be_taken_out_it_is_said_that_they_are_still_there(world: World, people: Any) -> None:
    notebook = Notebook(name="notebook")
    world.settle(people(1))
    world.carry(declared(mode="upsert"), notebook)
    assert [done.status for done in forget(world, notebook, ["p0000"], mode="upsert")] == ["no_deletion"]


def test_an_unanswered_deletion_is_asked_for_again(world: World, people: Any) -> None:
    notebook = Forgetful(name="notebook")
    world.settle(people(1))
    world.carry(declared(), notebook)
    notebook._answers = [Unanswered("no", code="503", may_have_acted=False)]
    assert [done.status for done in forget(world, notebook, ["p0000"])] == ["retry"]
    assert [done.status for done in forget(world, notebook, ["p0000"])] == ["forgotten"]
    assert forget(world, notebook, ["p0000"]) == []


def test_what_was_sent_to_a_place_that_the_sync_has_left_is_reported(world: World, people: Any) -> None:
    world.settle(people(1))
    world.run("braze")
    sync = world.sync("braze", target={"attribute": "lists"})
    (done,) = forget_rows(sync, world.destination("braze"), world.ground(), ["p0000"], "run")
    assert done.status == "unreachable"


@pytest.mark.parametrize(("key", "found"), [("person_id", ["p0001"]), ("email", ["p1@acme.co"])])
def test_a_person_is_found_whatever_the_key_of_the_sync(world: World, people: Any, key: str, found: list[str]) -> None:
    world.settle(people(2))
    assert person_keys(declared(key=key), world.ground(), "p0001") == found
