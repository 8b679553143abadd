"""Iterable: events once, users that are only updated, people who must stay forgotten, and lists that are not there."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch
from catchment.activate.caller import open_caller
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.iterable import KEY, LISTS

from ..conftest import AUDIENCE, World


def iterable(world: World) -> Destination:
    block = {"type": "iterable", "url": f"{world.sandbox.base_url}/iterable", "api_key": KEY}
    return open_destination(ActivateSettings(destinations={"iterable": block}), "iterable", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_iterable",
        "destination": "iterable",
        "audience": AUDIENCE,
        "target": {"list_id": next(iter(LISTS))},
        "identifiers": {"userId": "person_id"},
        "fields": {"company": "company"},
    }
    return parse_sync({**content, **changes}, "syncs/to_iterable.yml")


def holds(world: World, kind: str) -> dict[str, dict[str, Any]]:
    held: dict[str, dict[str, Any]] = world.sandbox.get("/sandbox/iterable").json()["holds"].get(kind, {})
    return held


def test_an_event_that_was_taken_without_an_answer_goes_again_and_is_one_event_there(world: World, people: Any) -> None:
    world.settle(people(3))
    told = sync(mode="event", target={"event": "became_prospect"}, fields={"createdAt": "last_seen_tstamp"})
    world.order("iterable", drop=True, accepted=True, times=4)
    assert world.carry(told, iterable(world)).unknown == 3
    world.carry(told, iterable(world))
    world.carry(told, iterable(world))
    events = holds(world, "events")
    assert sorted(event["who"] for event in events.values()) == ["p0000", "p0001", "p0002"]
    assert {event["createdAt"] for event in events.values()} == {1777550400}


def test_who_was_forgotten_is_not_taken_again_and_the_receipt_says_why(world: World, people: Any) -> None:
    world.settle(people(2))
    told, place = sync(), iterable(world)
    with open_caller(world.slept.append) as caller:
        place.forget(Batch(told, "forget", [{"userId": "p0000"}], ("p0000",)), caller)
    report = world.carry(told, place)
    assert (report.sent, report.rejected) == (1, 1)
    assert [row["code"] for row in world.receipts(report) if row["status"] == "rejected"] == ["forgottenUserIds"]


def test_a_list_that_is_not_there_ends_the_run_with_its_key(world: World, people: Any) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match="UnknownListError") as lost:
        world.carry(sync(target={"list_id": 9}), iterable(world))
    assert "target.list_id" in lost.value.hint
