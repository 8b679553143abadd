"""However a vendor misbehaves, and whenever a run is killed: in the end the vendor holds exactly the audience."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import World, person
from .kills import FAULTS, known_as, sync_in_a_child, torment

ROUNDS = 4
KILLS = 1
"""Of each vendor; `benchmarks/bench_kills.py` does fifty."""


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
    child = multiprocessing.get_context("spawn").Process(
        target=sync_in_a_child, args=(tmp_path, sandbox_url, "braze"), kwargs={"requests_at_once": 1}
    )
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


@pytest.mark.parametrize("vendor", ("braze", "salesforce", "meta"))
def test_a_run_killed_at_any_request_of_any_vendor_leaves_nothing_lost_or_behind(
    world: World, tmp_path: Path, vendor: str
) -> None:
    assert torment(world, tmp_path, vendor, KILLS) == {"killed": KILLS}
