"""Collector, enrichment and the writer of the lake are killed at random moments under load, and nobody can tell after.

`pytest tests/journey/test_kill.py --kill-rounds 50` is the full count.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from catchment.project import Project
from tests.broker.broker import running_broker
from tests.journey.flow import (
    Load,
    empty_log,
    enrich_for_ever,
    make_project,
    require_exactly_once,
    serve,
    started,
    wait_until_healthy,
)

SOME = 100
"""Events that are kept before the first kill, and after the last."""
ROUNDS = {"spool": 4, "kafka": 2}


class Processes:
    """A collector and a loop, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.targets = {"collector": serve, "loop": enrich_for_ever}
        self.children: dict[str, Any] = {name: started(target, folder) for name, target in self.targets.items()}

    def kill(self, name: str) -> None:
        self.children[name].kill()
        self.children[name].join()

    def start(self, name: str) -> None:
        self.children[name] = started(self.targets[name], self.folder)

    def kill_all(self) -> None:
        for name in self.children:
            self.kill(name)


def kill_under_load(project: Project, rounds: int, random: Random) -> Load:
    port = project.settings.collect.port
    processes = Processes(project.folder)
    try:
        wait_until_healthy(port)
        with Load(port) as load:
            load.wait_for(SOME)
            for _ in range(rounds):
                victims = random.choice([("collector",), ("loop",), ("loop",), ("collector", "loop")])
                time.sleep(random.uniform(0.05, 1.5))
                for name in victims:
                    processes.kill(name)
                for name in victims:
                    processes.start(name)
                wait_until_healthy(port)
            load.wait_for(SOME)
    finally:
        processes.kill_all()
    return load


@pytest.fixture(params=["spool", "kafka"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    if request.param == "spool":
        yield {"type": "spool", "folder": ".catchment/spool", "roll_bytes": 200_000}
        return
    (tmp_path / "broker").mkdir()
    with running_broker(tmp_path / "broker") as broker:
        yield {"type": "kafka", "servers": broker.servers}


def test_whoever_is_killed_each_answered_event_is_in_the_lake_once(
    tmp_path: Path, log: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    rounds = request.config.getoption("--kill-rounds", default=None) or ROUNDS[log["type"]]
    project = make_project(tmp_path / "project", log=log)

    load = kill_under_load(project, rounds, Random(rounds))
    empty_log(project)

    print(f"\n{rounds} rounds of {log['type']}: answers {dict(load.statuses)}, {len(load.kept)} events kept")
    assert len(load.kept) > 100
    require_exactly_once(project, load)
