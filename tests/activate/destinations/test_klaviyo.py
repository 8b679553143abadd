"""Klaviyo: imports that outlast a run, errors that come in pages, and lists that are not there."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.klaviyo import KEY, LISTS

from ..conftest import AUDIENCE, World, person

LIST = next(iter(LISTS))


def klaviyo(world: World) -> Destination:
    block = {"type": "klaviyo", "url": f"{world.sandbox.base_url}/klaviyo", "api_key": KEY}
    return open_destination(ActivateSettings(destinations={"klaviyo": block}), "klaviyo", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_klaviyo",
        "destination": "klaviyo",
        "audience": AUDIENCE,
        "target": {"list_id": LIST},
        "identifiers": {"email": "email"},
        "fields": {"first_name": "first_name", "plan": "company"},
    }
    return parse_sync({**content, **changes}, "syncs/to_klaviyo.yml")


def holds(world: World, kind: str) -> dict[str, dict[str, Any]]:
    held: dict[str, dict[str, Any]] = world.sandbox.get("/sandbox/klaviyo").json()["holds"].get(kind, {})
    return held


def test_of_more_errors_than_a_page_holds_every_row_has_its_own(world: World) -> None:
    bad = [person(number, email=f"nobody{number}") for number in range(130)]
    world.settle([*bad, *(person(number) for number in range(130, 140))])
    report = world.carry(sync(), klaviyo(world))
    assert (report.sent, report.rejected) == (10, 130)
    refused = [row for row in world.receipts(report) if row["status"] == "rejected"]
    assert {row["field"] for row in refused} == {"email"} and len({row["reason"] for row in refused}) == 130
    assert len(holds(world, f"list_{LIST}")) == 10


def test_an_import_that_outlasts_a_run_is_asked_about_by_the_next_and_not_handed_over_again(
    world: World, people: Any
) -> None:
    world.settle(people(3))
    world.order("klaviyo", status=500, times=400, after=1)
    first = world.carry(sync(), klaviyo(world))
    assert (first.sent, first.pending) == (0, 3)
    world.sandbox.delete("/sandbox/faults").raise_for_status()
    second = world.carry(sync(), klaviyo(world))
    assert (second.sent, second.unchanged) == (0, 3)
    assert len(holds(world, "jobs")) == 1


def test_custom_fields_are_properties_and_what_is_gone_is_cleared_there(world: World) -> None:
    world.settle([person(0)])
    world.carry(sync(), klaviyo(world))
    (held,) = holds(world, "profiles").values()
    assert (held["first_name"], held["properties"]) == ("Ann0", {"plan": "Acme"})
    world.settle([person(0, company=None, first_name=None)])
    world.carry(sync(), klaviyo(world))
    (held,) = holds(world, "profiles").values()
    assert "first_name" not in held and held["properties"] == {}


def test_a_list_that_is_not_there_ends_the_run_with_its_key(world: World, people: Any) -> None:
    world.settle(people(1))
    with pytest.raises(DefinitionError, match="list") as lost:
        world.carry(sync(target={"list_id": "Nope"}), klaviyo(world))
    assert "target.list_id" in lost.value.hint
