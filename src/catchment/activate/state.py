"""What one destination holds of each row of one sync, in the lake; read by hash, so that a large one stays cheap.

Rows are only appended while a run lasts, each with a higher sequence; what an orderly run leaves has sequence 0. A row
that stands there as `sending` after a run was killed may have been sent, or not.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds

from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.render import hash_text
from catchment.lake.lake import Lake
from catchment.tables import SYNC_STATE

SMALL = 100_000
"""Up to so many rows, a run leaves one row for each key; beyond, only once a quarter of the rows is out of date."""
PART = 50_000
"""Rows that are held at a time while a state is tidied."""
AT_ONCE = 10_000_000
"""Rows that are compared at a time; each takes some twenty bytes."""
SEED = 1_847
TIMES = pl.Datetime("us", "UTC")
IS_THERE = pl.col("identity").is_not_null().alias("is_there")
"""A row has a payload and an identity, or neither; this is the shorter to read."""


def hash_keys(keys: pl.Series | pl.Expr) -> Any:
    """Give a number for each key, the same for ever on one version of Polars."""
    return keys.hash(seed=SEED).reinterpret(signed=True)


STATUSES = pl.Enum(["sent", "rejected", "skipped", "pending", "removed", "forgotten", "retry", "unknown", "sending"])
"""All that may have become of a row."""


def in_part(number: int, parts: int) -> pl.Expr:
    """Say of each row whether it is of that part, by its hash."""
    return pl.lit(True) if parts == 1 else pl.col("row_hash").reinterpret(signed=False) % parts == number


class State:
    """The rows of one sync at one place."""

    def __init__(self, lake: Lake, sync: Sync, destination: Destination) -> None:
        self.lake = lake
        self.sync = sync.name
        self.scope = scope_of(sync, destination)
        self.sequence: int | None = None

    def index(self, hashes: pl.Series) -> pl.DataFrame:
        """Give row_hash, source_hash, last_status, is_twin and is_there of some rows, without payloads."""
        newest = _newest(_brief(self._those(hashes), self.scope).collect(), "row_hash")
        return newest.filter("is_here").drop("is_here", "sequence").with_columns(pl.col("last_status").cast(pl.String))

    def part(self, number: int, parts: int) -> pl.DataFrame:
        """Give the same of all rows of one part, in the order of their hash; last_status is an enumeration here."""
        brief = _brief(self._scan().filter(in_part(number, parts)), self.scope)
        if not self._scan().select((pl.col("sequence") > 0).any()).collect().item():
            return _ordered(brief.filter("is_here").drop("is_here", "sequence").collect(engine="streaming"), "row_hash")
        ordered = _ordered(brief.collect(engine="streaming"), "row_hash", "sequence")
        is_newest = (pl.col("row_hash") != pl.col("row_hash").shift(-1)).fill_null(True)
        return ordered.filter(is_newest & pl.col("is_here")).drop("is_here", "sequence")

    def parts(self) -> int:
        """Say in how many parts all rows are to be read, so that memory stays small however many there are."""
        total = int(self._scan().select(pl.len()).collect().item())
        return max(1, -(-total // AT_ONCE))

    def statuses(self) -> dict[str, int]:
        """Count the rows by what last became of them."""
        return dict(self._counts().group_by("last_status").agg(pl.col("len").sum()).iter_rows())

    def has_twins(self) -> bool:
        """Say whether a row may be left out because of another, so that what happens to that one matters to it."""
        twins = self._scan().filter(pl.col("reason").str.starts_with("another row")).select("row_hash")
        return self.index(twins.collect()["row_hash"].unique())["is_twin"].any()

    def count_there(self) -> int:
        """Count the rows that the destination holds."""
        return int(self._counts().filter("is_there")["len"].sum())

    def _counts(self) -> pl.DataFrame:
        """Count the rows by last_status and is_there as they stream by; only what is not settled is held."""
        brief = _brief(self._scan(), self.scope).drop("source_hash")
        fresh = _newest(brief.filter(pl.col("sequence") > 0).collect(), "row_hash")
        settled = brief.filter(pl.col("sequence") == 0)
        if not fresh.is_empty():
            settled = settled.filter(~pl.col("row_hash").is_in(fresh["row_hash"].implode()))
        by = ("last_status", "is_there")
        counted = [rows.filter("is_here").group_by(by).agg(pl.len()) for rows in (settled, fresh.lazy())]
        return pl.concat(counted).collect(engine="streaming").with_columns(pl.col("last_status").cast(pl.String))

    def rows(self, hashes: pl.Series) -> pl.DataFrame:
        """Give all that is known of the rows of these hashes."""
        return _newest(self._those(hashes).collect(), "row_key").filter(pl.col("scope") == self.scope)

    def doubts(self) -> pl.DataFrame:
        """Give the rows of which a run before this one does not know what became, or that a job has in hand."""
        hints = self._scan().filter(pl.col("last_status").is_in(("sending", "pending", "unknown"))).select("row_hash")
        found = hints.collect()["row_hash"].unique()
        rows = self.rows(found)
        return rows.filter(pl.col("last_status").is_in(("sending", "pending", "unknown")))

    def holders(self, identities: pl.Series) -> pl.DataFrame:
        """Give row_key and identity of the rows that the destination knows by one of these identities."""
        found = self._scan().filter(pl.col("identity").is_in(identities.implode())).select("row_hash").collect()
        if found.is_empty():
            return pl.DataFrame(schema={"row_key": pl.String, "identity": pl.String})
        rows = self.rows(found["row_hash"].unique())
        return rows.filter(pl.col("payload").is_not_null()).select("row_key", "identity")

    def append(self, rows: pl.DataFrame) -> None:
        """Write down what became of rows; whatever a column does not say is null."""
        if rows.is_empty():
            return
        self.sequence = self._last_sequence() + 1
        marks = {"sync": self.sync, "scope": self.scope, "sequence": self.sequence}
        marked = rows.with_columns(
            *(pl.lit(value).alias(name) for name, value in marks.items()),
            hash_keys(pl.col("row_key")).alias("row_hash"),
        )
        self.lake.append(SYNC_STATE.name, as_table(marked, SYNC_STATE.schema))

    def compact(self) -> None:
        """Leave one row for each key, where that is cheap or due; also of what a run left that was killed."""
        total, new = self._scan().select(pl.len(), (pl.col("sequence") > 0).sum().alias("new")).collect().row(0)
        if new and (total <= SMALL or new * 4 >= total):
            self.lake.overwrite(SYNC_STATE.name, self._kept, where=f"sync = '{self.sync}'")

    def _kept(self) -> pa.RecordBatchReader:
        """Read the newest row of each key, a part at a time."""
        newest = self._scan().group_by("row_hash").agg(pl.col("sequence").max()).collect().sort("row_hash")
        hashes, sequences = newest["row_hash"].to_numpy(), newest["sequence"].to_numpy()
        dataset = self.lake.delta(SYNC_STATE.name).to_pyarrow_dataset()

        def parts() -> Iterator[pa.RecordBatch]:
            for batch in dataset.to_batches(
                filter=ds.field("sync") == self.sync, batch_size=PART, batch_readahead=1, fragment_readahead=1
            ):
                rows = pl.DataFrame(pl.from_arrow(batch))
                place = np.searchsorted(hashes, rows["row_hash"].to_numpy())
                kept = rows.filter(pl.Series(sequences[place]) == rows["sequence"])
                settled = kept.with_columns(pl.lit(0, pl.Int64).alias("sequence"))
                yield from as_table(settled, SYNC_STATE.schema).to_batches()

        return pa.RecordBatchReader.from_batches(SYNC_STATE.schema, parts())

    def _last_sequence(self) -> int:
        if self.sequence is None:
            self.sequence = int(self._scan().select(pl.col("sequence").max()).collect().item() or 0)
        return self.sequence

    def _those(self, hashes: pl.Series) -> pl.LazyFrame:
        return self._scan().filter(pl.col("row_hash").is_in(hashes.implode()))

    def _scan(self) -> pl.LazyFrame:
        if not self.lake.exists(SYNC_STATE.name):
            return pl.DataFrame(pl.from_arrow(SYNC_STATE.schema.empty_table())).lazy()
        scan = pl.scan_delta(self.lake.path(SYNC_STATE.name), storage_options=self.lake.storage_options or None)
        return scan.filter(pl.col("sync") == self.sync)


def scope_of(sync: Sync, destination: Destination) -> str:
    """Stand for the place a sync goes to: what another one was told does not count."""
    place = {"kind": destination.title, "address": destination.address, "target": sync.target}
    return hash_text(pl.Series([str(sorted(place.items(), key=str))])[0])


def as_table(rows: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """Give rows the columns of a table, null where they have none."""
    known = pl.DataFrame(pl.from_arrow(schema.empty_table())).schema
    columns = [
        (pl.col(name).cast(kind) if name in rows.columns else pl.lit(None, kind).alias(name))
        for name, kind in known.items()
    ]
    return rows.select(columns).to_arrow().cast(schema)


def moment(at: datetime | None) -> pl.Expr:
    """Give a moment as a column has it."""
    return pl.lit(at, TIMES)


def _brief(rows: pl.LazyFrame, scope: str) -> pl.LazyFrame:
    """Give of each row what is compared, in a few bytes."""
    return rows.select(
        "row_hash",
        "source_hash",
        (pl.col("scope") == scope).alias("is_here"),
        pl.col("last_status").cast(STATUSES),
        pl.col("reason").str.starts_with("another row").fill_null(False).alias("is_twin"),
        IS_THERE,
        "sequence",
    )


def _ordered(rows: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Sort by row_hash first, a sixteenth of its range at a time: to sort all at once takes thrice the memory."""
    width = 2**60
    starts = range(-(2**63), 2**63, width)
    ranges = (pl.col("row_hash").is_between(start, start + width - 1) for start in starts)
    return pl.concat([rows.filter(is_within).sort(*by) for is_within in ranges])


def _newest(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    if rows.is_empty() or rows["sequence"].max() == 0:
        return rows
    return rows.sort("sequence").unique(key, keep="last", maintain_order=True)
