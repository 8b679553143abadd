"""Take out events that came before."""

import hashlib
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from catchment.enrich.enrichment import DROP, SOURCE, Columns, Enrichment, Step, column
from catchment.event import STRING

DUPLICATE = "duplicate_event"
"""The type of failed event that a duplicate becomes, so that received = events + failed still holds."""

_SLICE = 500


class Deduplicate(Enrichment):
    """Take out events that came before with the same id and the same fingerprint, in this batch or a recent one.

    They are counted and kept as failed events of the type `duplicate_event`. Which event came first is remembered with
    the place in the log it came from: a batch that is enriched again finds its own events, not duplicates of them.
    """

    path: str = Field(default="state/seen_events.db", description="An SQLite file that remembers recent events.")
    window_hours: float = Field(default=24.0, gt=0, description="How long an event is remembered.")

    def reads(self) -> tuple[str, ...]:
        return ("event_id", "event_fingerprint", "collector_tstamp", SOURCE)

    def open(self, project_folder: Path) -> Step:
        path = project_folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("pragma journal_mode = wal")
            connection.execute(
                "create table if not exists seen (key blob primary key, source text not null, moment real not null) "
                "without rowid"
            )
            connection.execute("create index if not exists seen_moment on seen (moment)")
        return partial(_enrich, path, self.window_hours * 3600)


def _enrich(path: Path, window_s: float, events: pa.Table) -> Columns:
    ids, prints = column(events, "event_id").to_pylist(), column(events, "event_fingerprint").to_pylist()
    keys = [
        hashlib.blake2b(f"{id_}/{told}".encode(), digest_size=16).digest()
        for id_, told in zip(ids, prints, strict=True)
    ]
    sources, moments = column(events, SOURCE).to_pylist(), column(events, "collector_tstamp").to_pylist()
    rows = [(key, source, moment.timestamp()) for key, source, moment in zip(keys, sources, moments, strict=True)]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("insert or ignore into seen values (?, ?, ?)", rows)
        first = _first(connection, keys)
        newest = pc.max(events["collector_tstamp"]).as_py().timestamp()
        connection.execute("delete from seen where moment < ?", (newest - window_s,))
    drops = [None if first[key] == source else DUPLICATE for key, source in zip(keys, sources, strict=True)]
    return {DROP: pa.array(drops, STRING)}


def _first(connection: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, str]:
    first: dict[bytes, str] = {}
    for start in range(0, len(keys), _SLICE):
        some = keys[start : start + _SLICE]
        marks = ", ".join("?" * len(some))
        first.update(connection.execute(f"select key, source from seen where key in ({marks})", some).fetchall())
    return first
