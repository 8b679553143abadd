"""A project whose collector listens, for real trackers to be pointed at."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from catchment.demo import serving_collector
from catchment.project import Project

ARRIVES_WITHIN_S = 30
"""A guard against waiting for ever; how fast events arrive is measured in benchmarks/."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    Project.init(tmp_path)
    settings = tmp_path / "catchment.yml"
    content = settings.read_text()
    # The addresses of this machine are in no database.
    content = content.replace("    - type: ip_lookup\n      path: data/geo.mmdb\n", "")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings.write_text(f"{content}\ncollect:\n  port: {port}\n")
    project = Project.open(tmp_path)
    with serving_collector(project):
        yield project


@pytest.fixture
def arrived(project: Project) -> Callable[[set[str]], list[dict[str, Any]]]:
    """Drain the log until an event of each name is in the lake, and give all events."""

    def wait(names: set[str]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        rows: list[dict[str, Any]] = []
        while not names <= {row["event_name"] for row in rows}:
            project.enrich()
            rows = project.lake.read("events").to_pylist() if project.lake.exists("events") else []
            failed = project.lake.read("failed_events").to_pylist()
            assert not failed, failed
            assert time.monotonic() < deadline, {row["event_name"] for row in rows}
        return rows

    return wait
