"""Events of the Conversions API: once each, with who did it hashed, and not those that Meta is too late for."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError

from ..conftest import World
from ..exam import Place, find_exams

EXAM = find_exams()["meta_conversions"]


@pytest.fixture
def meta(world: World, tmp_path: Path) -> Destination:
    world.sandbox.delete("/sandbox/meta_conversions").raise_for_status()
    block = {"type": "meta_conversions", **EXAM.settings(Place("meta_conversions", world.sandbox, tmp_path))}
    return open_destination(ActivateSettings(destinations={"capi": block}), "capi", tmp_path)


def declared(**changes: Any) -> Sync:
    content = {"name": "leads", "destination": "capi", "model": "people", "mode": "event", **EXAM.sync, **changes}
    return parse_sync(content, "syncs/leads.yml")


def test_an_event_is_told_once_and_one_that_is_too_old_not_at_all(world: World, people: Any, meta: Destination) -> None:
    crowd = people(3)
    for person in crowd[:2]:
        person["last_seen_tstamp"] = datetime.now(UTC) - timedelta(minutes=5)
    crowd[2]["last_seen_tstamp"] = datetime.now(UTC) - timedelta(days=8)
    world.settle(crowd)
    report = world.carry(declared(), meta)
    assert (report.sent, report.rejected) == (2, 1)
    (old,) = [row for row in world.receipts(report) if row["status"] == "rejected"]
    assert (old["code"], old["field"]) == ("too_old", "event_time")
    assert world.carry(declared(), meta).sent == 0
    events = world.sandbox.get("/sandbox/meta_conversions").json()["holds"]["events"].values()
    assert {event["event_name"] for event in events} == {"Lead"}
    assert {event["custom_data"]["value"] for event in events} == {0, 1}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fields": {"em": "email"}}, "has an event_time"),
        ({"fields": {"event_time": "last_seen_tstamp"}}, "somebody who did it"),
        ({"fields": {**EXAM.sync["fields"], "value": "engaged_time_in_s"}}, "have no 'value'"),
        ({"target": {"pixel_id": "1"}}, "event_name is missing"),
        ({"target": {"pixel_id": "1", "event_name": "Lead"}}, "does not exist"),
    ],
)
def test_what_meta_could_not_take_is_named_in_the_sync(
    world: World, people: Any, meta: Destination, changes: dict[str, Any], said: str
) -> None:
    crowd = people(1)
    crowd[0]["last_seen_tstamp"] = datetime.now(UTC)
    world.settle(crowd)
    with pytest.raises(DefinitionError, match=said):
        world.carry(declared(**changes), meta)
