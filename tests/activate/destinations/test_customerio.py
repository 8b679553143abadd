"""Customer.io: events that are taken once whatever happens, and audiences beside each other."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.customerio import KEY, SITE_ID

from ..conftest import AUDIENCE, World


def customerio(world: World) -> Destination:
    url = f"{world.sandbox.base_url}/customerio"
    block = {"type": "customerio", "url": url, "site_id": SITE_ID, "api_key": KEY}
    return open_destination(ActivateSettings(destinations={"customerio": block}), "customerio", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_customerio",
        "destination": "customerio",
        "audience": AUDIENCE,
        "identifiers": {"id": "person_id"},
        "fields": {"company": "company"},
    }
    return parse_sync({**content, **changes}, "syncs/to_customerio.yml")


def holds(world: World, kind: str) -> dict[str, dict[str, Any]]:
    held: dict[str, dict[str, Any]] = world.sandbox.get("/sandbox/customerio").json()["holds"].get(kind, {})
    return held


def test_an_event_that_was_taken_without_an_answer_goes_again_and_is_one_event_there(world: World, people: Any) -> None:
    world.settle(people(3))
    told = sync(mode="event", target={"event": "became_prospect"}, fields={"timestamp": "last_seen_tstamp"})
    world.order("customerio", drop=True, accepted=True, times=4)
    assert world.carry(told, customerio(world)).unknown == 3
    world.carry(told, customerio(world))
    world.carry(told, customerio(world))
    events = holds(world, "events")
    assert sorted(event["who"] for event in events.values()) == ["p0000", "p0001", "p0002"]
    assert {(event["name"], event["timestamp"]) for event in events.values()} == {("became_prospect", 1777550400)}


def test_two_audiences_are_two_attributes_and_a_leaver_of_one_stays_in_the_other(world: World, people: Any) -> None:
    world.settle(people(2))
    world.carry(sync(), customerio(world))
    world.carry(sync(name="everybody", audience=None, model="people"), customerio(world))
    world.settle(people(2), ["p0000"])
    world.carry(sync(), customerio(world))
    told = {key: (one["audience_prospects"], one["audience_everybody"]) for key, one in holds(world, "people").items()}
    assert told == {"p0000": (True, True), "p0001": (False, True)}


def test_events_without_a_name_are_refused_before_anything_is_sent(world: World) -> None:
    with pytest.raises(DefinitionError, match=r"target\.event"):
        world.carry(sync(mode="event"), customerio(world))
