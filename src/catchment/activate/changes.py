"""Which rows may have to be told of: those whose sources changed since they were last told, found by hash.

The sources of a payload are hashed column by column as they stream by, and compared with what was written down when the
row was last told. Only rows that differ are made into payloads; whether one is sent is decided by the payload.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
import pyarrow as pa

from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.render import ROW_KEY
from catchment.activate.state import hash_keys
from catchment.errors import DefinitionError

QUIET = ("sent", "rejected", "skipped", "pending")
"""States in which the same sources come to the same again, so that the row need not be looked at."""


@dataclass(frozen=True)
class Changes:
    """`rows` are those to be looked at, with row_hash and source_hash; `quiet` counts the others by their state.

    `gone` are the hashes of rows that the destination holds and that are not there any more.
    """

    rows: pl.DataFrame
    gone: pl.Series
    quiet: dict[str, int]


def find_changes(
    sources: pa.RecordBatchReader, sync: Sync, destination: Destination, index: pl.DataFrame, *, is_full: bool
) -> Changes:
    """Compare every row of the source with the index of what was told; memory grows with what changed.

    Raises DefinitionError where the key is no key.
    """
    seed, names = mapping_seed(sync, destination), source_names(sync)
    index = index.sort("row_hash")
    known = _Known(index, is_full=is_full)
    kept = []
    nulls = 0
    for batch in sources:
        rows = hash_rows(pl.DataFrame(pl.from_arrow(batch)), names, seed)
        nulls += rows[ROW_KEY].null_count()
        kept.append(rows.filter(~known.are_quiet(rows["row_hash"].to_numpy(), rows["source_hash"].to_numpy())))
    looked_at = together(kept, names)
    twice = known.twice + looked_at.height - looked_at["row_hash"].n_unique()
    if nulls or twice:
        raise DefinitionError(
            f"{sync.file}: key: {sync.key} of {sync.model} is no key: {nulls} rows have none, {twice} have another's.",
            hint="Name a column that is unique in that table.",
        )
    gone = index.filter(pl.col("is_there") & ~pl.Series(known.seen))["row_hash"]
    quiet = dict(index.filter(pl.Series(known.quiet)).group_by("last_status").len().iter_rows())
    return Changes(looked_at, gone, quiet)


class _Known:
    """The index, searched by hash; notes which of it was seen, and which was seen unchanged."""

    def __init__(self, index: pl.DataFrame, *, is_full: bool) -> None:
        self.row_hash = index["row_hash"].to_numpy()
        self.source_hash = index["source_hash"].fill_null(0).to_numpy()
        is_quiet = pl.col("last_status").is_in(QUIET) & ~pl.col("is_twin") & pl.col("source_hash").is_not_null()
        self.may_be_quiet = index.select(is_quiet & pl.lit(not is_full)).to_series().to_numpy()
        self.seen = np.zeros(len(self.row_hash), dtype=bool)
        self.quiet = np.zeros(len(self.row_hash), dtype=bool)
        self.twice = 0

    def are_quiet(self, row_hash: "np.ndarray", source_hash: "np.ndarray") -> pl.Series:
        """Say of each row whether it is known to come to what it came to before."""
        if not len(self.row_hash):
            return pl.repeat(False, len(row_hash), eager=True)
        place = np.searchsorted(self.row_hash, row_hash)
        place[place == len(self.row_hash)] = 0
        is_known = self.row_hash[place] == row_hash
        is_quiet = is_known & self.may_be_quiet[place] & (self.source_hash[place] == source_hash)
        quiet = place[is_quiet]
        self.twice += int(self.quiet[quiet].sum()) + len(quiet) - len(np.unique(quiet))
        self.seen[place[is_known]] = True
        self.quiet[quiet] = True
        return pl.Series(is_quiet)


def source_names(sync: Sync) -> list[str]:
    """Name the columns of the source in order: the key, then what payloads are made of."""
    return [ROW_KEY, *sync.columns()]


def hash_rows(rows: pl.DataFrame, names: list[str], seed: int) -> pl.DataFrame:
    """Name the columns, and add the hash of the key and that of everything the payload is made of."""
    rows = rows.rename(dict(zip(rows.columns, names, strict=True)))
    sources = rows.drop(ROW_KEY).hash_rows(seed=seed) if rows.width > 1 else pl.repeat(seed, rows.height, eager=True)
    return rows.with_columns(
        hash_keys(pl.col(ROW_KEY)).alias("row_hash"),
        sources.cast(pl.UInt64).reinterpret(signed=True).alias("source_hash"),
    )


def mapping_seed(sync: Sync, destination: Destination) -> int:
    """Give a number that changes whenever the same sources may come to another payload."""
    parts = [destination.title, destination.address, sync.mode, sync.audience, sync.name, sync.target, sync.empty]
    told = repr([*parts, sorted((name, repr(source)) for name, source in sync.sources().items())])
    return int.from_bytes(blake2b(told.encode(), digest_size=7).digest(), "big")


def together(kept: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    """Put what was kept of each batch into one frame, which has its columns even if it is empty."""
    if kept:
        return pl.concat(kept, how="vertical_relaxed")
    schema = dict.fromkeys(names, pl.String) | {"row_hash": pl.Int64, "source_hash": pl.Int64}
    return pl.DataFrame(schema=schema)
