"""What changed in one table since a run before this one read it, from Delta's log: the cost follows the changed files.

With a change data feed, the changed rows are read and nothing else. Without one, the files that came and went are: a
row that was only moved from one file to another comes to the same hash.
"""

from typing import Any

import orjson
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from catchment.activate.changes import QUIET, Changes, hash_rows, mapping_seed, source_names, together
from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.mapping import source_tables
from catchment.activate.render import ROW_KEY
from catchment.activate.state import State, hash_keys
from catchment.lake.lake import Lake
from catchment.tables import SYNC_RUNS

MAPPING = "_mapping"
FEED = "delta.enableChangeDataFeed"
NOT_PLAIN = {"deletionVectors", "columnMapping"}
"""Features of a table whose files do not say alone what rows they hold."""
AWAY = ("removed", "forgotten")
TOLD = ("ok", "incomplete", "pending")


def versions_of(sync: Sync, destination: Destination, lake: Lake) -> dict[str, Any]:
    """Give the versions of the tables that a sync reads, and a number for what it makes of them."""
    return {table: lake.version(table) for table in source_tables(sync)} | {MAPPING: mapping_seed(sync, destination)}


def find_changes_since(
    sync: Sync, destination: Destination, lake: Lake, state: State, now: dict[str, Any]
) -> Changes | None:
    """Give the changes since the last run from Delta's log; None where only a comparison of all rows will do."""
    before = _last_versions(sync, lake)
    if before is None or before.keys() != now.keys() or before[MAPPING] != now[MAPPING]:
        return None
    statuses = state.statuses()
    if set(statuses) - {*QUIET, *AWAY} or state.has_twins():
        return None
    if before == now:
        return _compared(together([], source_names(sync)), pl.Series([], dtype=pl.String), state, statuses)
    if len(now) > 2 or any("." in column for column in sync.columns()):
        return None
    try:
        read = _read_changed(lake.delta(sync.model), before[sync.model], sync)
    except (DeltaError, OSError):
        return None  # the files or the log of that version are gone, so all rows are compared
    if read is None:
        return None
    rows, removed = read
    hashed = hash_rows(rows, source_names(sync), now[MAPPING])
    return _compared(hashed, removed.filter(~removed.is_in(hashed[ROW_KEY].implode())), state, statuses)


def _last_versions(sync: Sync, lake: Lake) -> dict[str, Any] | None:
    """Give what the newest run read; None where it did not end well enough to build on."""
    rows = lake.read(SYNC_RUNS.name, ["started_at", "status", "versions"], filters=[("sync", "=", sync.name)])
    if rows.num_rows == 0:
        return None
    last = rows.sort_by([("started_at", "descending")]).slice(0, 1).to_pylist()[0]
    return orjson.loads(last["versions"] or b"{}") if last["status"] in TOLD else None


def _compared(rows: pl.DataFrame, removed: pl.Series, state: State, statuses: dict[str, int]) -> Changes:
    """Keep of the rows that were read those that are not known as they are now."""
    gone = removed.to_frame("key").select(hash_keys(pl.col("key"))).to_series() if len(removed) else None
    hashes = pl.concat([rows["row_hash"], gone]) if gone is not None else rows["row_hash"]
    index = state.index(hashes).select("row_hash", "source_hash", "last_status", "is_there")
    known = rows.join(index, on="row_hash", how="left", suffix="_held", maintain_order="left")
    is_same = (pl.col("source_hash") == pl.col("source_hash_held")).fill_null(False)
    is_quiet = known.select(is_same & pl.col("last_status").is_in(QUIET).fill_null(False)).to_series()
    looked_at = rows.filter(~is_quiet)
    quiet = dict(statuses)
    for status in AWAY:
        quiet.pop(status, None)
    away = index.filter(~pl.col("row_hash").is_in(rows.filter(is_quiet)["row_hash"].implode()))
    for status, count in away.group_by("last_status").len().iter_rows():
        quiet[status] = quiet.get(status, 0) - count
    there = index.filter(pl.col("is_there"))["row_hash"]
    return Changes(looked_at, there.filter(there.is_in(gone.implode())) if gone is not None else there.clear(), quiet)


def _read_changed(delta: DeltaTable, version: int, sync: Sync) -> tuple[pl.DataFrame, pl.Series] | None:
    """Give the rows that changed since a version, as the source has them, and the keys of those that went away."""
    columns = [column for column in sync.columns() if column != sync.key]
    if delta.metadata().configuration.get(FEED) == "true":
        return _read_feed(delta, version, sync, columns)
    features = set(delta.protocol().reader_features or [])
    if features & NOT_PLAIN or set(delta.metadata().partition_columns) & {sync.key, *columns}:
        return None
    old = DeltaTable(delta.table_uri, version=version, storage_options=delta._storage_options)
    were, are = set(old.file_uris()), set(delta.file_uris())
    options = delta._storage_options
    key = pl.col(sync.key).cast(pl.String)
    rows = _scan(sorted(are - were), [sync.key, *columns], options)
    gone = _scan(sorted(were - are), [sync.key], options)
    return _as_source(rows, sync), gone.select(key.alias(ROW_KEY))[ROW_KEY]


def _scan(files: list[str], columns: list[str], options: Any) -> pl.DataFrame:
    if not files:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.scan_parquet(files, storage_options=options, missing_columns="insert").select(columns).collect()


def _read_feed(
    delta: DeltaTable, version: int, sync: Sync, columns: list[str]
) -> tuple[pl.DataFrame, pl.Series] | None:
    feed = delta.load_cdf(starting_version=version + 1, columns=[sync.key, *columns, "_change_type", "_commit_version"])
    changes = pl.DataFrame(pl.from_arrow(pa.table(feed))).filter(pl.col("_change_type") != "update_preimage")
    ordered = changes.with_columns((pl.col("_change_type") != "delete").alias("_stays")).sort(
        "_commit_version", "_stays"
    )
    last = ordered.unique(sync.key, keep="last")
    gone = last.filter(~pl.col("_stays")).select(pl.col(sync.key).cast(pl.String))
    stay = last.filter(pl.col("_stays")).drop("_change_type", "_commit_version", "_stays")
    return _as_source(stay, sync), gone[sync.key]


def _as_source(rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
    """Give the key and then the columns that the sync names, as the query of all rows does."""
    key = pl.col(sync.key).cast(pl.String)
    named = [(key if column == sync.key else pl.col(column)).alias(f"column_{number}")
             for number, column in enumerate(sync.columns())]  # fmt: skip
    return rows.select(key.alias("row_key"), *named)
