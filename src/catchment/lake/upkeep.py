"""Upkeep: join small files, sort the files of days that are over, write checkpoints, remove what was replaced.

Safe beside a running writer: joining conflicts with no append, and only files that a commit has replaced are removed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from catchment.errors import LakeError
from catchment.lake import UpkeepSettings, layout
from catchment.lake.lake import Lake
from catchment.lake.layout import parts_of, properties_of
from catchment.tables import CLUSTER_KEY, COLLECTOR_DATE, EVENTS, MODEL_BUILDS, TABLES

MEGABYTE = 2**20

ROW_GROUP_ROWS = 2**17
"""A reader passes over whole groups by their footers, and reads several at once; packed as appended rows are."""


@dataclass(frozen=True)
class Tended:
    """What upkeep did to one table; `note` says why it left files for the next time."""

    table: str
    files_before: int
    files_after: int
    files_removed: int
    note: str = ""


def tend(lake: Lake, settings: UpkeepSettings, now: datetime) -> list[Tended]:
    """Look after every table of the lake; raises LakeError where the storage does not let us."""
    tended = []
    merged = set(lake.read(MODEL_BUILDS.name, ["model"])["model"].to_pylist())
    merged |= {name for name, table in TABLES.items() if table.rewritten is not None}
    for table in lake.tables():
        try:
            tended.append(_tend(lake, table, settings, now.date(), is_merged=table in merged))
        except (OSError, DeltaError) as error:
            raise LakeError(
                f"Table '{table}' of the lake {lake.uri} cannot be kept up: {error}",
                hint="Check the folder's permissions and free space, or the storage options.",
            ) from error
    return tended


def _tend(lake: Lake, table: str, settings: UpkeepSettings, today: date, *, is_merged: bool) -> Tended:
    """Look after one table; a merge of a model rewrites whole files, and has cut them so that it rewrites little."""
    delta, note = lake.delta(table), ""
    _set_properties(delta, table, lake.retention_hours)
    before = _files(delta).num_rows
    try:
        for kwargs in () if is_merged else _partitions(delta, table, settings, today):
            _join(delta, table, settings, kwargs)
    except CommitFailedError:
        note = "somebody rewrote it meanwhile; next time"
    delta = lake.delta(table)
    delta.create_checkpoint()
    delta.cleanup_metadata()
    removed = delta.vacuum(lake.retention_hours, dry_run=False, enforce_retention_duration=False, full=True)
    return Tended(table, before, _files(delta).num_rows, len(removed), note)


def _partitions(delta: DeltaTable, table: str, settings: UpkeepSettings, today: date) -> Iterator[dict[str, Any]]:
    """Give the partitions that have too many small files or are over and not sorted, and whether each is over."""
    files = _files(delta)
    target = settings.target_file_mb * MEGABYTE
    for day, part in _by_day(files).items():
        is_over = day is not None and day < today
        enough = 2 if is_over else settings.min_small_files
        sizes = part["size_bytes"].to_pylist()
        is_small = sum(size < target // 2 for size in sizes) >= enough and len(sizes) > ceil(sum(sizes) / target)
        is_unsorted = day is not None and is_over and table == EVENTS.name and _is_unsorted(part, day)
        if is_small or is_unsorted:
            filters = [(COLLECTOR_DATE, "=", str(day))] if day is not None else None
            yield {"partition_filters": filters, "is_over": is_over}


def _by_day(files: pa.Table) -> dict[date | None, pa.Table]:
    """Part the files by the day of their rows; all are of None where the table has no days."""
    column = f"partition.{COLLECTOR_DATE}"
    if column not in files.column_names:
        return {None: files} if files.num_rows else {}
    days = sorted(set(files[column].to_pylist()), key=str)
    return {day: files.filter(pc.equal(files[column], day) if day else files[column].is_null()) for day in days}


def _is_unsorted(files: pa.Table, day: date) -> bool:
    """Say whether a file that is worth sorting was written while the day went on, so that it was joined at most."""
    ended = datetime.combine(day + timedelta(days=1), time(), UTC).timestamp() * 1000
    early = pc.less(files["modification_time"], ended)
    large = pc.greater(pc.fill_null(files["num_records"], 0), layout.EVENTS_TOGETHER)
    return bool(pc.any(pc.and_(early, large)).as_py())


def _join(delta: DeltaTable, table: str, settings: UpkeepSettings, partition: dict[str, Any]) -> None:
    how = {
        "partition_filters": partition["partition_filters"],
        "target_size": settings.target_file_mb * MEGABYTE,
        "writer_properties": parts_of(table, at_most=ROW_GROUP_ROWS),
    }
    if partition["is_over"] and table == EVENTS.name:
        delta.optimize.z_order([CLUSTER_KEY], **how)
    else:
        delta.optimize.compact(**how)


def _set_properties(delta: DeltaTable, table: str, retention_hours: int) -> None:
    """Give a table of an older lake the properties that it would be made with today."""
    wanted = properties_of(table, pa.schema(delta.schema()), retention_hours)
    known = delta.metadata().configuration
    missing = {name: value for name, value in wanted.items() if known.get(name) != value}
    if missing:
        delta.alter.set_table_properties(missing)


def _files(delta: DeltaTable) -> pa.Table:
    return pa.table(delta.get_add_actions(flatten=True))
