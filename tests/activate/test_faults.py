"""However a vendor misbehaves, and whenever a run is killed: in the end the vendor holds exactly the audience."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from .conftest import World, person

ROUNDS = 4
FAULTS: list[dict[str, Any]] = [
    {"status": 500, "times": 4},
    {"drop": True, "times": 4},
    {"drop": True, "times": 4, "accepted": True},
    {"status": 429, "times": 1},
    {"drop": True, "times": 1, "accepted": True},
]


def sync_in_a_child(folder: Path, url: str, vendor: str) -> None:
    with httpx.Client(base_url=url, timeout=20) as client:
        World(folder, client).run(vendor)


def known_as(world: World, vendor: str, people: list[dict[str, Any]]) -> set[str]:
    if vendor != "meta":
        return {row["person_id"] for row in people}
    shape = world.destination("meta").shape
    rows = pl.DataFrame({"_row_key": ["x"] * len(people), "EMAIL": [row["email"] for row in people]})
    return set(shape(rows, world.sync("meta", fields={}))["EMAIL"].to_list())


@pytest.mark.parametrize("vendor", ("braze", "salesforce", "meta"))
def test_after_any_faults_a_calm_run_brings_the_vendor_level(world: World, vendor: str) -> None:
    dice = random.Random(vendor)
    crowd = [person(number) for number in range(100)]
    for number in range(ROUNDS):
        for row in dice.sample(crowd, 10):
            row["email"] = f"{row['person_id']}-{number}@acme.co"
        members = dice.sample(crowd, 85)
        world.settle(crowd, [row["person_id"] for row in members])
        world.order(vendor, **dice.choice(FAULTS), after=dice.randrange(3))
        report = world.run(vendor)
        planned = report.added + report.changed + report.removed
        assert planned == report.sent + report.rejected + report.retry + report.unknown
    for _ in range(3):
        world.run(vendor)
    report = world.run(vendor)
    assert (report.status, report.unchanged) == ("ok", 85)
    assert world.members(vendor) == known_as(world, vendor, members)


def test_a_run_that_is_killed_outright_goes_on_where_it_stopped(
    world: World, people: Any, tmp_path: Path, sandbox_url: str
) -> None:
    crowd = people(225)
    world.settle(crowd)
    world.order("braze", delay_s=3600, after=2)
    child = multiprocessing.get_context("spawn").Process(target=sync_in_a_child, args=(tmp_path, sandbox_url, "braze"))
    child.start()
    deadline = time.monotonic() + 60
    while world.requests("braze") < 3:
        assert time.monotonic() < deadline and child.is_alive()
        time.sleep(0.05)
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    assert len(world.members("braze")) == 150
    assert world.lake.read("sync_runs").num_rows == 0
    report = world.run("braze")
    assert (report.unchanged, report.sent, report.status) == (75, 150, "ok")
    assert world.members("braze") == known_as(world, "braze", crowd)
    state = world.lake.read("sync_state")
    assert state.num_rows == len(set(state["row_key"].to_pylist())) == 225
