"""One slice of the log becomes rows of `events` and `failed_events`, and one row of `batches`, exactly once.

Each table remembers the last offset it holds in its own Delta log. After a crash the slice is simply committed again:
a table leaves out what it holds. `batches` comes last, so a slice that stands there stands everywhere.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from catchment.event import LOAD_TSTAMP
from catchment.lake.lake import Lake
from catchment.tables import BATCHES, EVENTS, FAILED_EVENTS, OFFSET

DIGEST_LIMIT = 2**63
"""Digests are sums modulo this, so that they are 64-bit integers."""


@dataclass(frozen=True)
class Batch:
    """What one commit added to the lake; all counts are 0 where the lake held the whole slice before."""

    log_id: str
    first_offset: int
    last_offset: int
    payloads: int
    received: int
    events: int
    failed: int
    suppressed: int
    committed_at: datetime
    event_ids: int = 0


class Outcome(NamedTuple):
    """What became of a slice: rows for two tables, and the offset of each event that is suppressed."""

    events: pa.Table
    failed: pa.Table
    suppressed: pa.Array = pa.array([], pa.int64())


def commit_batch(
    lake: Lake, log_id: str, payloads: pa.Table, outcome: Outcome, *, now: datetime | None = None
) -> Batch:
    """Commit a slice of the log; it may be repeated, whole or longer, and nothing is lost or doubled.

    The log may forget these payloads as soon as this returns.
    """
    now = now or datetime.now(UTC)
    last = pc.max(payloads[OFFSET]).as_py()
    if last is None:
        raise ValueError("A batch needs at least one payload.")
    lake.append(EVENTS.name, _stamp(outcome.events, now), app_id=log_id, offset=last)
    if outcome.failed.num_rows or not lake.exists(FAILED_EVENTS.name):
        lake.append(FAILED_EVENTS.name, outcome.failed, app_id=log_id, offset=last)
    batch = _count(lake, log_id, payloads, outcome, now=now)
    if batch.payloads:
        row = pa.Table.from_pylist([asdict(batch)], schema=BATCHES.schema)
        row = row.append_column(OFFSET, pa.array([last], pa.int64()))
        lake.append(BATCHES.name, row, app_id=log_id, offset=last)
    return batch


def _stamp(events: pa.Table, now: datetime) -> pa.Table:
    stamps = pa.repeat(pa.scalar(now, LOAD_TSTAMP.type), events.num_rows)
    if LOAD_TSTAMP.name not in events.column_names:
        return events.append_column(LOAD_TSTAMP.name, stamps)
    return events.set_column(events.column_names.index(LOAD_TSTAMP.name), LOAD_TSTAMP.name, stamps)


def _count(lake: Lake, log_id: str, payloads: pa.Table, outcome: Outcome, *, now: datetime) -> Batch:
    """Count only what no earlier row of `batches` counts, so the sum over its rows is the whole log."""
    done = lake.committed(BATCHES.name, log_id)
    events, failed, suppressed = outcome
    fresh = events.select(["event_id"]).filter(pc.greater(events[OFFSET], done))
    offsets, bad, gone = (
        column.filter(pc.greater(column, done)) for column in (payloads[OFFSET], failed[OFFSET], suppressed)
    )
    bounds = pc.min_max(offsets if len(offsets) else payloads[OFFSET]).as_py()
    return Batch(
        log_id=log_id,
        first_offset=bounds["min"],
        last_offset=bounds["max"],
        payloads=len(offsets),
        received=len(fresh) + len(bad) + len(gone),
        events=len(fresh),
        failed=len(bad),
        suppressed=len(gone),
        committed_at=now,
        event_ids=digest_ids(fresh["event_id"].to_pylist()),
    )


def digest_ids(event_ids: Iterable[str | None]) -> int:
    """Give a number for a bag of ids that is the same in any order, and the sum of the numbers of its parts."""
    total = sum(int.from_bytes(blake2b(id_.encode(), digest_size=8).digest()) for id_ in event_ids if id_)
    return total % DIGEST_LIMIT
