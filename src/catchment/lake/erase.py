"""Erase a person from every table of the lake: rows, replaced files, and no word of it in the log.

The log of a table never holds a text of a row (`layout`), and deletions match by surrogate key, so the values that are
erased appear in no predicate. What is left is to rewrite the files that hold a row, and to remove the old ones at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from catchment.errors import LakeError
from catchment.lake.batch import digest_ids
from catchment.lake.lake import COMMIT_TRIES, Lake
from catchment.lake.needle import Needles
from catchment.tables import CLUSTER_KEY, COLLECTOR_DATE, ERASURES, EVENTS, FAILED_EVENTS

SURROGATES = {EVENTS.name: ("event_id", CLUSTER_KEY), FAILED_EVENTS.name: ("failed_id",)}
"""Large tables, of which only the files with a row of the person are rewritten, and by which columns it is matched."""

MATCHES_PER_COMMIT = 100_000


@dataclass(frozen=True)
class Erased:
    """What was done to one table; `event_ids` is the digest of the events that went."""

    table: str
    rows: int
    files_rewritten: int
    version_before: int
    version_after: int
    event_ids: int = 0


def erase(lake: Lake, needles: Needles) -> list[Erased]:
    """Remove every row that tells of the person from all tables; may be stopped anywhere and called again."""
    try:
        return [erased for table in lake.tables() if table != ERASURES.name for erased in _erase(lake, table, needles)]
    except (OSError, DeltaError) as error:
        raise LakeError(
            f"The lake {lake.uri} cannot be erased from: {error}",
            hint="Check permissions and free space; `catchment forget` with the same value goes on.",
        ) from error


def remove_replaced_files(lake: Lake) -> int:
    """Remove every file that no table refers to any more; who calls sees to it that nobody writes meanwhile.

    In an object store somebody on another machine may be writing, so a file that no version ever held stays there
    until upkeep finds it older than the retention.
    """
    removed = 0
    for table in lake.tables():
        delta = lake.delta(table)
        is_local = "://" not in lake.uri
        gone = delta.vacuum(0, dry_run=False, enforce_retention_duration=False, full=is_local)
        removed += len(gone)
    return removed


def _erase(lake: Lake, table: str, needles: Needles) -> Iterator[Erased]:
    for left in reversed(range(COMMIT_TRIES)):
        try:
            erased = _erase_once(lake, table, needles)
        except CommitFailedError:
            if not left:
                raise
            continue
        if erased is not None:
            yield erased
        return


def _erase_once(lake: Lake, table: str, needles: Needles) -> Erased | None:
    delta = lake.delta(table)
    before = delta.version()
    keys = SURROGATES.get(table)
    found = _matches(delta, needles, [*keys, COLLECTOR_DATE] if keys else [])
    if not found.num_rows:
        return None
    if keys is None:
        kept = [part.filter(pc.invert(needles.rows(part))) for part in _parts(delta)]
        files = len(delta.file_uris())
        partition = next(iter(delta.metadata().partition_columns), None)
        lake.overwrite(table, pa.concat_tables(kept), partition_by=partition)
        return Erased(table, found.num_rows, files, before, lake.delta(table).version())
    source = pa.table({name: found[name] for name in keys})
    days = ", ".join(f"'{day}'" for day in pc.unique(found[COLLECTOR_DATE]).to_pylist() if day is not None)
    match = " and ".join(f"target.{name} = source.{name}" for name in keys)
    where = f"target.{COLLECTOR_DATE} in ({days}) and {match}" if days else match
    merged = delta.merge(source, where, source_alias="source", target_alias="target").when_matched_delete().execute()
    digest = digest_ids(found["event_id"].to_pylist()) if table == EVENTS.name else 0
    return Erased(table, found.num_rows, merged["num_target_files_removed"], before, delta.version(), digest)


def _matches(delta: DeltaTable, needles: Needles, keys: list[str]) -> pa.Table:
    schema = pa.schema(delta.schema())
    names = [name for name in keys if name in schema.names] or schema.names[:1]
    found = [part.filter(needles.rows(part)).select(names) for part in _parts(delta)]
    empty = pa.schema([schema.field(name) for name in names]).empty_table()
    return pa.concat_tables([empty, *(part.cast(empty.schema) for part in found)])


def _parts(delta: DeltaTable) -> Iterator[pa.Table]:
    for batch in delta.to_pyarrow_dataset().to_batches():
        if batch.num_rows:
            yield pa.Table.from_batches([batch])
