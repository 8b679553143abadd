"""Enrichment in several processes: the same rows in the same order, whoever is killed."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from catchment.errors import TransientError
from catchment.project import Project
from tests.journey.flow import Load, collecting, empty_log, enrich_for_ever, make_project, require_exactly_once

ROUNDS = 2
"""How often the loop is killed with all that it started."""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    make_project(tmp_path)
    path = tmp_path / "catchment.yml"
    content = yaml.safe_load(path.read_text())
    content["enrich"] = {**content.get("enrich", {}), "processes": 2, "batch_payloads": 50}
    path.write_text(yaml.safe_dump(content))
    project = Project.open(tmp_path)
    yield project
    project.workers.close()


def looping(project: Project) -> Any:
    """Be no daemon: those may have no children."""
    child = multiprocessing.get_context("spawn").Process(target=enrich_for_ever, args=(project.folder,))
    child.start()
    return child


def offsets(project: Project) -> list[tuple[int, int]]:
    rows = project.lake.read("batches").sort_by("first_offset").to_pylist()
    return [(row["first_offset"], row["last_offset"]) for row in rows]


def wait_for_more_batches(project: Project) -> None:
    before = len(offsets(project))
    deadline = time.monotonic() + 90
    while len(offsets(project)) <= before:
        assert time.monotonic() < deadline, "nothing is committed"
        time.sleep(0.05)


def test_a_loop_that_is_killed_with_its_processes_loses_and_doubles_nothing(project: Project) -> None:
    with collecting(project), Load(project.settings.collect.port, clients=1) as load:
        for _ in range(ROUNDS):
            loop = looping(project)
            try:
                wait_for_more_batches(project)
            finally:
                loop.kill()
                loop.join()
    empty_log(project)

    require_exactly_once(project, load)
    spans = offsets(project)
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]


def test_a_process_that_was_killed_is_told_and_started_anew_with_nothing_lost(project: Project) -> None:
    with collecting(project):
        with Load(project.settings.collect.port, clients=1) as load:
            wait_until_waiting(project)
        project.enrich()
        with Load(project.settings.collect.port, clients=1) as more:
            wait_until_waiting(project)
    load.kept += more.kept
    for child in multiprocessing.active_children():
        child.kill()
        child.join()
    with pytest.raises(TransientError, match="killed"):
        project.enrich()
    empty_log(project)

    require_exactly_once(project, load)


def wait_until_waiting(project: Project) -> None:
    deadline = time.monotonic() + 30
    while project.waiting() < 20:
        assert time.monotonic() < deadline, "nothing arrives"
        time.sleep(0.05)
