"""The Delta log of a table that is written all day: every version of the retention can be read and found."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from catchment.errors import LakeError
from catchment.lake import UpkeepSettings
from catchment.lake.changes import appended_since
from catchment.lake.lake import Lake
from catchment.lake.layout import CHECKPOINT_COMMITS
from catchment.lake.log import LOG, written_at
from catchment.lake.upkeep import tend

COMMITS = 12 * CHECKPOINT_COMMITS
"""More than any number of newest versions that a reader is likely to go back by."""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def write(lake: Lake, count: int) -> None:
    for _ in range(count):
        lake.append("runs", pa.table({"run_id": ["r"]}))


def remove_entries(lake: Lake, before: int) -> None:
    """Leave the log as it is once the retention of its older entries is over."""
    for path in (Path(lake.path("runs")) / LOG).glob("0*.json"):
        if int(path.name[:20]) < before:
            path.unlink()


def test_every_version_within_the_retention_can_be_read_however_many_came_since(lake: Lake) -> None:
    for _ in range(6):
        write(lake, COMMITS // 6)
        tend(lake, UpkeepSettings(), datetime.now(UTC))
    newest = lake.version("runs")
    assert newest is not None and newest >= COMMITS
    for version in (0, 1, 7, CHECKPOINT_COMMITS, COMMITS // 6):
        assert lake.delta("runs", version).to_pyarrow_table().num_rows == version
    assert lake.delta("runs", COMMITS // 2).version() == COMMITS // 2
    assert lake.delta("runs").count() == COMMITS


def test_a_version_whose_entry_was_cleaned_up_says_why_it_cannot_be_read(lake: Lake) -> None:
    write(lake, CHECKPOINT_COMMITS + 10)
    remove_entries(lake, CHECKPOINT_COMMITS)
    with pytest.raises(LakeError, match="Version 3 of table 'runs' cannot be read any more"):
        lake.delta("runs", 3)


def test_the_version_of_a_moment_is_found(lake: Lake) -> None:
    write(lake, CHECKPOINT_COMMITS + 10)
    moments = {entry["version"]: entry["timestamp"] for entry in lake.delta("runs").history()}
    firsts = {moment: min(v for v in moments if moments[v] >= moment and v > 0) for moment in set(moments.values())}
    assert {moment: written_at(lake, "runs", moment) for moment in firsts} == firsts
    assert written_at(lake, "runs", max(moments.values()) + 1) is None


def test_where_entries_were_cleaned_up_no_version_is_guessed(lake: Lake) -> None:
    write(lake, CHECKPOINT_COMMITS + 10)
    first = lake.delta("runs").history()[-1]["timestamp"]
    remove_entries(lake, CHECKPOINT_COMMITS)
    assert written_at(lake, "runs", first) is None
    assert appended_since(lake, "runs", 5) is None
