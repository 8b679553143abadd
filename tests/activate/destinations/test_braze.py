"""Braze: batches refused whole, addresses that are wrong, and audiences beside each other."""

from typing import Any

import pytest

from catchment.errors import CatchmentError, DefinitionError

from ..conftest import AUDIENCE, World


def test_a_batch_refused_whole_is_halved_until_the_bad_row_stands_alone(world: World, people: Any) -> None:
    world.settle(people(4))
    world.order("braze", status=400, times=2, body={"message": "no"})
    world.order("braze", status=400, after=0, times=1, body={"message": "this one is bad"})
    report = world.run("braze")
    assert (report.sent, report.rejected) == (3, 1)
    assert [row["reason"] for row in world.receipts(report) if row["status"] == "rejected"] == ["this one is bad"]


def test_two_audiences_live_beside_each_other_in_one_attribute(world: World, people: Any) -> None:
    world.settle(people(2))
    world.run("braze")
    other = world.sync("braze", name="everybody", audience=None, model="people")
    world.run("braze", other)
    world.settle(people(2), ["p0000"])
    world.run("braze")
    held = world.holds("braze")
    assert held["p0000"]["catchment_audiences"] == [AUDIENCE, "everybody"]
    assert held["p0001"]["catchment_audiences"] == ["everybody"]


def test_an_address_that_is_not_braze_is_named_with_its_setting(world: World, people: Any) -> None:
    world.settle(people(1))
    with pytest.raises(CatchmentError, match="There is no Braze at") as lost:
        world.run("braze", url=f"{world.sandbox.base_url}/brass")
    assert "activate.destinations.braze.url" in lost.value.hint


def test_a_vendor_that_is_not_there_is_told_apart_from_a_wrong_key(world: World) -> None:
    with pytest.raises(CatchmentError, match=r"Braze does not answer at http://127\.0\.0\.1:9"):
        world.destination("braze", url="http://127.0.0.1:9").check()


def test_events_have_a_name_a_time_and_properties(world: World, people: Any) -> None:
    world.settle(people(2))
    fields = {"time": "last_seen_tstamp", "plan": "company"}
    sync = world.sync("braze", mode="event", target={"event": "Signed Up"}, fields=fields)
    assert (world.run("braze", sync).sent, world.run("braze", sync).sent) == (2, 0)
    events = world.sandbox.get("/sandbox/braze").json()["holds"]["events"].values()
    assert {event["external_id"] for event in events} == {"p0000", "p0001"}
    assert all((event["name"], event["properties"]) == ("Signed Up", {"plan": "Acme"}) for event in events)
    assert all(event["time"].startswith("2026-04-30T12:00:00") for event in events)
    with pytest.raises(DefinitionError, match=r"needs target\.event, and the field time"):
        world.run("braze", world.sync("braze", mode="event"))


def test_members_are_subscribed_to_a_group_and_leavers_are_not(world: World, people: Any) -> None:
    sync = world.sync("braze", target={"subscription_group_id": "g1"})
    world.settle(people(2))
    world.run("braze", sync)
    world.settle(people(2), ["p0000"])
    world.run("braze", sync)
    states = {key: user["subscription_groups"][0]["subscription_state"] for key, user in world.holds("braze").items()}
    assert states == {"p0000": "subscribed", "p0001": "unsubscribed"}
