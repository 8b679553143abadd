"""A plan says what would happen, an apply does exactly that, and a guard asks before much is taken out."""

from dataclasses import replace
from typing import Any

import pytest

from catchment.activate.planning import Wishes, last_plan
from catchment.activate.preview import PlanReport, preview_sync
from catchment.errors import GuardError, StalePlan

from .conftest import World, person


def plan(world: World, vendor: str = "braze", **changes: Any) -> PlanReport:
    return preview_sync(world.sync(vendor, **changes), world.destination(vendor), world.ground())


def apply(world: World, plan_id: str, vendor: str = "braze") -> Any:
    return world.carry(world.sync(vendor), world.destination(vendor), Wishes(plan_id=plan_id))


def test_a_plan_names_rows_fields_old_and_new_and_reasons_and_sends_nothing(world: World, people: Any) -> None:
    crowd = people(4)
    world.settle(crowd)
    world.run("braze")
    before = world.requests("braze")
    crowd[0]["email"] = "new@acme.co"
    crowd += [person(8), person(9)]
    world.settle(crowd, ["p0000", "p0001", "p0002", "p0008"])
    report = plan(world)
    assert world.requests("braze") == before
    assert (report.added, report.changed, report.removed, report.unchanged) == (1, 1, 1, 2)
    assert report.changed_fields == {"email": 1}
    assert report.examples_changed == [
        {"row_key": "p0000", "fields": {"email": {"old": "p0@acme.co", "new": "new@acme.co"}}}
    ]
    assert report.examples_added[0]["sent"]["email"] == "p8@acme.co"
    assert [row["row_key"] for row in report.examples_removed] == ["p0003"]


def test_a_plan_says_why_rows_are_left_out(world: World, people: Any) -> None:
    crowd = people(4)
    crowd[1]["email"] = None
    crowd[2]["email"] = "P0@acme.co"
    world.settle(crowd)
    report = plan(world, "meta", fields={})
    assert report.left_out == {"no identifier: EMAIL": 1, "another row has the same identifier": 1}
    assert {row["row_key"] for row in report.examples_left_out} == {"p0001", "p0002"}


def test_apply_does_exactly_the_plan(world: World, people: Any) -> None:
    world.settle(people(3))
    made = plan(world)
    report = apply(world, made.plan_id)
    assert (report.added, report.sent) == (made.added, made.added) == (3, 3)
    assert last_plan(world.sync("braze"), world.lake) == made.plan_id


@pytest.mark.parametrize("change", ["rows", "definition", "state"])
def test_apply_refuses_a_plan_that_is_not_true_any_more_and_says_why(world: World, people: Any, change: str) -> None:
    world.settle(people(3))
    made = plan(world)
    says = {"rows": "made from people at version", "definition": "was changed since", "state": "'braze' holds changed"}
    if change == "rows":
        world.settle(people(4))
    elif change == "state":
        world.run("braze")
    sync = world.sync("braze", **({"fields": {"email": "email"}} if change == "definition" else {}))
    before = world.requests("braze")
    with pytest.raises(StalePlan, match=says[change]) as stale:
        world.carry(sync, world.destination("braze"), Wishes(plan_id=made.plan_id))
    assert "catchment sync plan to_braze" in stale.value.hint
    assert world.requests("braze") == before


def test_a_plan_that_takes_out_too_many_waits_until_it_is_confirmed(world: World, people: Any) -> None:
    crowd = people(10)
    sync = world.sync("braze", guard={"remove": 0.3, "rows": 2})
    world.settle(crowd)
    world.run("braze", sync)
    world.settle(crowd, [row["person_id"] for row in crowd[:6]])
    with pytest.raises(GuardError, match=r"remove 4 of the 10 rows there, more than guard\.remove allows") as refused:
        world.run("braze", sync)
    assert "--confirm" in refused.value.hint
    assert len(world.members("braze")) == 10
    assert world.lake.read("sync_runs").sort_by("started_at").to_pylist()[-1]["status"] == "failed"
    report = world.carry(sync, world.destination("braze"), Wishes(is_confirmed=True))
    assert (report.removed, len(world.members("braze"))) == (4, 6)


def test_a_plan_that_changes_too_many_waits_too(world: World, people: Any) -> None:
    crowd = people(4)
    sync = world.sync("braze", guard={"change": 0.5, "rows": 0})
    world.settle(crowd)
    world.run("braze", sync)
    world.settle([{**row, "first_name": "Cy"} for row in crowd])
    with pytest.raises(GuardError, match="change 4 of the 4 rows"):
        world.run("braze", sync)


def test_a_sample_sends_one_row_and_takes_nobody_out(world: World, people: Any) -> None:
    crowd = people(5)
    world.settle(crowd[:1])
    world.run("braze")
    world.settle(crowd[1:])
    report = world.carry(world.sync("braze"), world.destination("braze"), Wishes(sample=1))
    assert (report.added, report.sent, report.removed) == (1, 1, 0)
    assert world.members("braze") == {"p0000", "p0001"}
    assert world.run("braze").sent == 4


def test_a_full_resync_sends_everybody_and_honours_removals(world: World, people: Any) -> None:
    crowd = people(4)
    world.settle(crowd)
    world.run("braze")
    world.settle(crowd, ["p0000", "p0001"])
    report = world.carry(world.sync("braze"), world.destination("braze"), Wishes(is_full=True))
    assert (report.changed, report.removed, report.sent) == (2, 2, 4)
    assert world.members("braze") == {"p0000", "p0001"}


def test_what_was_refused_goes_again_when_asked_for(world: World, people: Any) -> None:
    crowd = people(2)
    crowd[1]["email"] = "no address"
    world.settle(crowd)
    world.run("braze")
    assert world.run("braze").held == 1
    report = world.carry(world.sync("braze"), world.destination("braze"), Wishes(retries_rejected=True))
    assert (report.rejected, report.held, report.unchanged) == (1, 0, 1)


def test_the_same_lake_gives_the_same_plan(world: World, people: Any) -> None:
    world.settle(people(5))
    first, second = plan(world), plan(world)
    assert replace(first, plan_id="") == replace(second, plan_id="")
