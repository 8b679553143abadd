"""What follows from events is done beside the loop, when it is due, and one at a time."""

from pathlib import Path

import pytest

from catchment.project import Project
from catchment.project.follow import FollowUp


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Project.init(tmp_path / "acme").folder


def test_nothing_is_started_before_it_is_due_or_where_it_is_switched_off(folder: Path) -> None:
    clock = Clock()
    follow, never = FollowUp(folder, 10, clock), FollowUp(folder, 0, clock)
    clock.now = 599
    follow.look()
    clock.now = 9_999
    never.look()
    assert not follow.is_at_work and not never.is_at_work


def test_what_is_due_is_done_in_a_process_of_its_own_and_leaves_its_rows_of_runs(folder: Path) -> None:
    clock = Clock()
    follow = FollowUp(folder, 10, clock)
    clock.now = 600
    follow.look()
    assert follow.wait(120) == 0
    assert {row["verb"] for row in Project.open(folder).lake.read("runs").to_pylist()} == {"ingest"}
    follow.look()
    assert not follow.is_at_work, "the next is due in ten minutes"


def test_an_error_is_told_and_the_next_is_tried_in_its_time(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "data/ad_spend.csv").write_text("not,a,spend\n1,2,3\n")
    clock = Clock()
    follow = FollowUp(folder, 10, clock)
    clock.now = 600
    follow.look()
    assert follow.wait(120) == 1
    assert "ad_spend" in capfd.readouterr().err
    clock.now = 1_200
    follow.look()
    assert follow.is_at_work
    follow.stop()
    assert not follow.is_at_work
