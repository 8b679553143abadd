"""Kill runs outright, again and again, while the sandboxes misbehave. `python benchmarks/bench_kills.py [ROUNDS]`

In each round people change and come and go, a fault is ordered, and the run is killed at a random moment. After the
last, calm runs follow; then each vendor must hold exactly the audience, and no receipt may say `sent` of a row that is
not there.
"""

import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from catchment.listen import running
from catchment.sandbox import SandboxSettings
from catchment.sandbox.server import serve_sandbox
from tests.activate.conftest import World, free_port, person
from tests.activate.test_faults import FAULTS, known_as

ROUNDS, CROWD, MEMBERS = 50, 400, 330
VENDORS = ("braze", "salesforce", "meta")


def run(folder: Path, url: str, vendor: str, hours: int) -> None:
    """Run one sync, as of so many hours later than the tests' beginning."""
    with httpx.Client(base_url=url, timeout=20) as client:
        world = World(folder, client)
        world.pass_hours(hours)
        world.slept = Hasty()  # type: ignore[assignment]
        world.run(vendor)


class Hasty(list[float]):
    """Sleeps a little, whatever it is told."""

    def append(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.02))


def torment(folder: Path, url: str, vendor: str, rounds: int, dice: random.Random) -> Counter[str]:
    """Run and kill so many times, then bring the vendor level in peace."""
    with httpx.Client(base_url=url, timeout=20) as client:
        world = World(folder, client)
        crowd = [person(number) for number in range(CROWD)]
        members = crowd[:MEMBERS]
        ends: Counter[str] = Counter()
        for number in range(rounds):
            for row in dice.sample(crowd, 40):
                row["email"] = f"{row['person_id']}-{number}@acme.co"
            members = dice.sample(crowd, MEMBERS)
            world.settle(crowd, [row["person_id"] for row in members])
            world.order(vendor, **dice.choice(FAULTS), after=dice.randrange(4))
            child = multiprocessing.get_context("fork").Process(target=run, args=(folder, url, vendor, number))
            child.start()
            child.join(dice.uniform(0.1, 1.2))
            if child.is_alive():
                os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            ends["killed" if child.exitcode == -signal.SIGKILL else "ended"] += 1
        client.delete("/sandbox/faults").raise_for_status()
        world.pass_hours(rounds + 24)
        for _ in range(4):
            report = world.run(vendor)
            world.pass_hours(24)
        verify(world, vendor, members, report)
        return ends


def verify(world: World, vendor: str, members: list[dict[str, Any]], report: Any) -> None:
    """Raise where the vendor does not hold exactly the audience, or the books say otherwise."""
    assert (report.status, report.unchanged) == ("ok", len(members)), report
    held, expected = world.members(vendor), known_as(world, vendor, members)
    assert held == expected, f"{vendor}: {len(expected - held)} lost, {len(held - expected)} too many"
    state = {row["row_key"]: row for row in world.lake.read("sync_state").to_pylist()}
    sent = {key for key, row in state.items() if row["last_status"] == "sent"}
    assert sent == {row["person_id"] for row in members}


def main() -> None:
    """Torment each vendor and say how it went."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    settings = SandboxSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        running(serve_sandbox, settings, Path(folder), health_url=f"{url}/health", name="sandbox"),
    ):
        for vendor in VENDORS:
            began = time.monotonic()
            ends = torment(Path(folder) / vendor, url, vendor, rounds, random.Random(vendor))
            told = ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))
            print(f"{vendor}: {rounds} rounds ({told}), level in the end, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
