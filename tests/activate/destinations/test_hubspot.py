"""HubSpot: properties that are not there, lists that take nobody, a day that is spent, and fields only filled."""

from pathlib import Path
from typing import Any

import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import DefinitionError
from catchment.sandbox.vendors.hubspot import TOKEN

from ..conftest import AUDIENCE, World


def hubspot(world: World) -> Destination:
    block = {"type": "hubspot", "url": f"{world.sandbox.base_url}/hubspot", "access_token": TOKEN}
    return open_destination(ActivateSettings(destinations={"hubspot": block}), "hubspot", Path())


def sync(**changes: Any) -> Sync:
    content = {
        "name": "to_hubspot",
        "destination": "hubspot",
        "audience": AUDIENCE,
        "target": {"list_id": "41"},
        "identifiers": {"email": "email"},
        "fields": {"firstname": "first_name", "company": "company"},
    }
    return parse_sync({**content, **changes}, "syncs/to_hubspot.yml")


def contacts(world: World) -> dict[str, dict[str, Any]]:
    held = world.sandbox.get("/sandbox/hubspot").json()["holds"]["contacts"]
    return {one["properties"]["email"]: one["properties"] for one in held.values()}


def test_a_property_that_does_not_exist_ends_the_run_and_blames_no_row(world: World, people: Any) -> None:
    world.settle(people(3))
    with pytest.raises(DefinitionError, match=r"PROPERTY_DOESNT_EXIST.*shoe_size"):
        world.carry(sync(fields={"shoe_size": "company"}), hubspot(world))


def test_a_list_that_fills_itself_takes_nobody_and_every_row_says_so(world: World, people: Any) -> None:
    world.settle(people(2))
    report = world.carry(sync(target={"list_id": "42"}), hubspot(world))
    assert (report.sent, report.rejected) == (0, 2)
    assert all("dynamic" in row["reason"] for row in world.receipts(report))


def test_a_day_that_is_spent_is_not_waited_for(world: World, people: Any) -> None:
    world.settle(people(1))
    body = {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY"}
    world.order("hubspot", status=429, times=50, body=body)
    report = world.carry(sync(), hubspot(world))
    assert (report.sent, report.retry) == (0, 1)
    assert sum(world.slept) < 60


def test_an_address_in_other_letters_is_one_contact_and_a_cleared_field_is_empty_there(
    world: World, people: Any
) -> None:
    (one,) = people(1)
    world.settle([{**one, "email": "P0@Acme.co"}])
    world.carry(sync(), hubspot(world))
    world.settle([{**one, "email": "p0@acme.co", "company": None}])
    report = world.carry(sync(), hubspot(world))
    assert report.sent == 1
    assert contacts(world) == {"p0@acme.co": {"email": "p0@acme.co", "firstname": "Ann0"}}


def test_only_what_is_empty_there_is_filled(world: World, people: Any) -> None:
    world.settle(people(1))
    world.carry(sync(fields={"firstname": {"constant": "Theirs"}}), hubspot(world))
    world.carry(sync(name="second", empty="only_if_empty"), hubspot(world))
    assert contacts(world)["p0@acme.co"] == {"email": "p0@acme.co", "firstname": "Theirs", "company": "Acme"}
