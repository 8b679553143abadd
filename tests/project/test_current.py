"""The loop over a real spool and a real lake, with faults of the storage in between."""

import resource
import shutil
from pathlib import Path

import pytest

from catchment.errors import LakeError
from catchment.lake.lake import Lake
from catchment.project import Project
from catchment.project.current import Loop
from tests.project.conftest import Make, page_view, payload, send


def bring(project: Project, *event_ids: str, **parameters: str) -> None:
    send(project, payload(*(page_view(eid=id_, **parameters) for id_ in event_ids)))


def ids(project: Project) -> list[str]:
    return sorted(project.lake.read("events")["event_id"].to_pylist())


@pytest.fixture
def project(make_project: Make) -> Project:
    return make_project(lake={"upkeep": {"every_minutes": 0.0001}})


ID = "4f5a8d53-32d3-44d4-b8ad-1b2ee18a27{:02}"


def test_each_turn_brings_what_came_and_looks_after_the_lake(project: Project) -> None:
    loop = Loop(project)
    for number in range(3):
        bring(project, ID.format(number))
        loop.turn()
    assert ids(project) == [ID.format(number) for number in range(3)]
    verbs = [row["verb"] for row in project.lake.read("runs").to_pylist()]
    assert verbs.count("upkeep") >= 1
    assert verbs.count("enrich") == 1, "one row a minute, not one a turn"


def test_a_lake_that_cannot_be_written_is_told_and_goes_on_when_mended(project: Project) -> None:
    loop = Loop(project)
    bring(project, ID.format(1))
    loop.turn()
    shutil.move(project.lake.path("events"), project.folder / "aside")
    Path(project.lake.path("events")).write_text("in the way")
    bring(project, ID.format(2))
    for _ in range(2):
        with pytest.raises(LakeError, match="'events'"):
            loop.turn()
    assert project.waiting() == 1
    Path(project.lake.path("events")).unlink()
    shutil.move(project.folder / "aside", project.lake.path("events"))
    loop.turn()
    assert ids(project) == [ID.format(1), ID.format(2)]
    assert all(balance.ok for balance in project.check_lake())


class FullDisk(Lake):
    """A lake whose storage takes no file of more than 3,000 bytes."""

    def append(self, table, rows, **how):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
        try:
            return super().append(table, rows, **how)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_room(project: Project) -> None:
    loop = Loop(project)
    bring(project, ID.format(1))
    loop.turn()
    bring(project, *[ID.format(number) for number in range(2, 60)], url="https://acme.test/" + "x" * 500)
    roomy, project.lake = project.lake, FullDisk(project.lake.uri)
    with pytest.raises(LakeError, match="cannot be written"):
        loop.turn()
    project.lake = roomy
    loop.turn()
    assert ids(project) == [ID.format(number) for number in range(1, 60)]
    assert all(balance.ok for balance in project.check_lake())
