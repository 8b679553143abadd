"""Kill runs outright, again and again, while a vendor misbehaves; then see whether it holds exactly the audience."""

import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from .conftest import World, person

FAULTS: list[dict[str, Any]] = [
    {"status": 500, "times": 4},
    {"drop": True, "times": 4},
    {"drop": True, "times": 4, "accepted": True},
    {"status": 429, "times": 1},
    {"drop": True, "times": 1, "accepted": True},
]
HANG = {"delay_s": 3600}
PATIENCE_S = 30


class Hasty(list[float]):
    """Sleeps a little, whatever it is told."""

    def append(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.02))


def sync_in_a_child(folder: Path, url: str, vendor: str, hours: int = 0, **changes: Any) -> None:
    """Run one sync, so many hours after the tests' beginning; `changes` are of the destination's settings."""
    with httpx.Client(base_url=url, timeout=20) as client:
        world = World(folder, client)
        world.pass_hours(hours)
        world.slept = Hasty()
        world.run(vendor, **changes)


def torment(world: World, folder: Path, vendor: str, rounds: int) -> Counter[str]:
    """Run and kill so many times, then bring the vendor level in peace; raises where it is not."""
    dice = random.Random(vendor)
    crowd = [person(number) for number in range(200)]
    members, ends = crowd, Counter[str]()
    for number in range(rounds):
        for row in dice.sample(crowd, 40):
            row["email"] = f"{row['person_id']}-{number}@acme.co"
        members = dice.sample(crowd, 160)
        world.settle(crowd, [row["person_id"] for row in members])
        after = dice.randrange(min(number + 1, 4))
        world.order(vendor, **(dice.choice(FAULTS) if number % 2 else HANG), after=after)
        requests = world.requests(vendor) + (dice.randrange(1, 5) if number % 2 else after + 1)
        child = _start(world, folder, vendor, number)
        ends["killed" if _kill(child, partial(_has_had, world, vendor, requests), dice) else "ended"] += 1
        world.sandbox.delete("/sandbox/faults").raise_for_status()
    world.pass_hours(rounds + 24)
    for _ in range(3):
        report = world.run(vendor)
        world.pass_hours(24)
    verify(world, vendor, members, report)
    return ends


def verify(world: World, vendor: str, members: list[dict[str, Any]], report: Any) -> None:
    """Raise where the vendor does not hold exactly the audience, or the books say otherwise."""
    assert (report.status, report.unchanged) == ("ok", len(members)), report
    held, expected = world.members(vendor), known_as(world, vendor, members)
    assert held == expected, f"{vendor}: {len(expected - held)} lost, {len(held - expected)} too many"
    state = world.lake.read("sync_state").to_pylist()
    assert all((row["payload"] is None) == (row["identity"] is None) for row in state)
    assert {row["row_key"] for row in state if row["last_status"] == "sent"} == {row["person_id"] for row in members}


def known_as(world: World, vendor: str, people: list[dict[str, Any]]) -> set[str]:
    """Say how a vendor knows these people."""
    if vendor != "meta":
        return {row["person_id"] for row in people}
    shape = world.destination("meta").shape
    rows = pl.DataFrame({"_row_key": ["x"] * len(people), "EMAIL": [row["email"] for row in people]})
    return set(shape(rows, world.sync("meta", fields={}))["EMAIL"].to_list())


def _has_had(world: World, vendor: str, requests: int) -> bool:
    return world.requests(vendor) >= requests


def _start(world: World, folder: Path, vendor: str, hours: int) -> Any:
    arguments = (folder, str(world.sandbox.base_url), vendor, hours)
    child = multiprocessing.get_context("spawn").Process(target=sync_in_a_child, args=arguments)
    child.start()
    return child


def _kill(child: Any, is_time: Callable[[], bool], dice: random.Random) -> bool:
    """Kill a child once it is time, or a little later; say whether it had not ended before."""
    deadline = time.monotonic() + PATIENCE_S
    while child.is_alive() and not is_time() and time.monotonic() < deadline:
        time.sleep(0.005)
    child.join(dice.uniform(0, 0.2))
    if child.is_alive():
        os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    return bool(child.exitcode == -signal.SIGKILL)
