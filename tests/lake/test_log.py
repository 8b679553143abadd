"""The Delta log of a table that is written all day: short where each commit lists it, whole for who asks."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from catchment.errors import LakeError
from catchment.lake import UpkeepSettings
from catchment.lake import log as delta_log
from catchment.lake.changes import appended_since
from catchment.lake.lake import Lake
from catchment.lake.layout import CHECKPOINT_COMMITS
from catchment.lake.log import ASIDE, LOG, put_aside, written_at
from catchment.lake.upkeep import tend

KEPT = CHECKPOINT_COMMITS


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setattr(delta_log, "KEPT_VERSIONS", KEPT)
    return Lake(str(tmp_path / "lake"))


def write(lake: Lake, count: int) -> None:
    for _ in range(count):
        lake.append("runs", pa.table({"run_id": ["r"]}))


def entries(lake: Lake, folder: str) -> list[int]:
    return sorted(int(path.stem) for path in (Path(lake.path("runs")) / folder).glob("*.json"))


def test_commits_list_few_entries_however_many_there_were(lake: Lake) -> None:
    for _ in range(4):
        write(lake, CHECKPOINT_COMMITS)
        put_aside(lake, "runs")
        assert len(entries(lake, LOG)) <= KEPT + CHECKPOINT_COMMITS + 2
    versions = entries(lake, ASIDE) + entries(lake, LOG)
    assert versions == list(range(lake.version("runs") + 1))  # type: ignore[operator]
    assert lake.delta("runs").count() == 4 * CHECKPOINT_COMMITS


def test_every_version_that_stays_can_be_read_and_an_older_one_says_why_not(lake: Lake) -> None:
    write(lake, 3 * CHECKPOINT_COMMITS)
    put_aside(lake, "runs")
    for version in entries(lake, LOG):
        assert lake.delta("runs", version).version() == version
    assert lake.delta("runs", lake.version("runs") - KEPT).count() == 2 * CHECKPOINT_COMMITS  # type: ignore[operator]
    with pytest.raises(LakeError, match="Version 3 of table 'runs' cannot be read any more"):
        lake.delta("runs", 3)


def test_what_came_since_a_version_that_was_put_aside_is_still_told(lake: Lake) -> None:
    write(lake, 3 * CHECKPOINT_COMMITS)
    put_aside(lake, "runs")
    assert 5 not in entries(lake, LOG)
    appended = appended_since(lake, "runs", 5)
    assert appended is not None
    assert len(appended.paths) == 3 * CHECKPOINT_COMMITS - 5


def test_a_writer_that_slept_meanwhile_goes_on_and_upkeep_leaves_what_stands_aside(lake: Lake) -> None:
    write(lake, 1)
    sleeper = Lake(lake.uri)
    sleeper.append("runs", pa.table({"run_id": ["s"]}))
    write(lake, 3 * CHECKPOINT_COMMITS)
    tend(lake, UpkeepSettings(), datetime.now(UTC))
    aside = entries(lake, ASIDE)
    assert aside
    sleeper.append("runs", pa.table({"run_id": ["s"]}))
    assert lake.delta("runs").count() == 3 * CHECKPOINT_COMMITS + 3
    lake.delta("runs").vacuum(0, dry_run=False, enforce_retention_duration=False, full=True)
    assert entries(lake, ASIDE) == aside


def test_the_version_of_a_moment_is_found_also_among_those_put_aside(lake: Lake) -> None:
    write(lake, 3 * CHECKPOINT_COMMITS)
    moments = {entry["version"]: entry["timestamp"] for entry in lake.delta("runs").history()}
    put_aside(lake, "runs")
    firsts = {moment: min(v for v in moments if moments[v] >= moment and v > 0) for moment in set(moments.values())}
    assert {moment: written_at(lake, "runs", moment) for moment in firsts} == firsts
    assert written_at(lake, "runs", max(moments.values()) + 1) is None


def test_what_stands_aside_is_removed_after_the_retention_and_then_no_version_is_guessed(lake: Lake) -> None:
    write(lake, 2 * CHECKPOINT_COMMITS + 10)
    first = lake.delta("runs").history()[-1]["timestamp"]
    put_aside(lake, "runs")
    put_aside(Lake(lake.uri, retention_hours=0), "runs")
    assert entries(lake, ASIDE) == []
    assert written_at(lake, "runs", first) is None
    assert appended_since(lake, "runs", 5) is None
