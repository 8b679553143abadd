"""Which rows may have to be told of: those whose sources changed since they were last told, found by hash.

The sources of a payload are hashed column by column as they stream by, and compared with what was written down when the
row was last told. Only rows that differ are made into payloads; whether one is sent is decided by the payload.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
import pyarrow as pa

from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.render import ROW_KEY
from catchment.activate.state import State, hash_keys, in_part
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
    read: Callable[[], pa.RecordBatchReader], sync: Sync, destination: Destination, state: State, *, is_full: bool
) -> Changes:
    """Compare every row of the source with what was told; memory grows with what changed.

    A state that is too large to be held is compared in parts, and the source is read once for each of them.
    Raises DefinitionError where the key is no key.
    """
    seed, names = mapping_seed(sync, destination), source_names(sync)
    kept: list[pl.DataFrame] = []
    gone: list[pl.Series] = []
    quiet: Counter[str] = Counter()
    nulls = twice = 0
    parts = state.parts()
    for number in range(parts):
        known = _Known(state.part(number, parts), is_full=is_full)
        for batch in read():
            rows = hash_rows(pl.DataFrame(pl.from_arrow(batch)), names, seed).filter(in_part(number, parts))
            nulls += rows[ROW_KEY].null_count()
            is_quiet = known.are_quiet(rows["row_hash"].to_numpy(), rows["source_hash"].to_numpy())
            kept.append(_apart(rows.filter(~is_quiet)))
        twice += known.count_twice()
        gone.append(known.gone())
        quiet.update(known.count_quiet())
        del known
    looked_at = together(kept, names)
    twice += looked_at.height - looked_at["row_hash"].n_unique()
    if nulls or twice:
        raise DefinitionError(
            f"{sync.file}: key: {sync.key} of {sync.model} is no key: {nulls} rows have none, {twice} have another's.",
            hint="Name a column that is unique in that table.",
        )
    return Changes(looked_at, pl.concat(gone), dict(quiet))


class _Known:
    """What was told, searched by hash; notes which of it was seen, which unchanged, and which to be looked at."""

    def __init__(self, told: pl.DataFrame, *, is_full: bool) -> None:
        told = told.rechunk()
        is_quiet = pl.col("last_status").is_in(QUIET) & ~pl.col("is_twin") & pl.col("source_hash").is_not_null()
        self.may_be_quiet = told.select(is_quiet & pl.lit(not is_full)).to_series().to_numpy()
        self.row_hash = told["row_hash"].to_numpy()
        self.source_hash = told["source_hash"].fill_null(0).to_numpy()
        self.told = told.drop("source_hash")
        self.seen, self.quiet, self.open = (np.zeros(told.height, dtype=bool) for _ in range(3))
        self.twice = 0

    def are_quiet(self, row_hash: "np.ndarray", source_hash: "np.ndarray") -> pl.Series:
        """Say of each row whether it is known to come to what it came to before."""
        answer = np.zeros(len(row_hash), dtype=bool)
        if not len(self.row_hash):
            return pl.Series(answer)
        order = np.argsort(row_hash)  # in order they are found side by side, which is many times quicker
        wanted = row_hash[order]
        place = np.searchsorted(self.row_hash, wanted)
        place[place == len(self.row_hash)] = 0
        is_known = self.row_hash[place] == wanted
        is_quiet = is_known & self.may_be_quiet[place] & (self.source_hash[place] == source_hash[order])
        quiet = place[is_quiet]
        self.twice += int(self.quiet[quiet].sum()) + int((np.diff(quiet) == 0).sum())
        self.seen[place[is_known]] = True
        self.quiet[quiet] = True
        self.open[place[is_known & ~is_quiet]] = True
        answer[order] = is_quiet
        return pl.Series(answer)

    def count_twice(self) -> int:
        """Count the rows whose key another row had that was known."""
        return self.twice + int((self.quiet & self.open).sum())

    def gone(self) -> pl.Series:
        """Give the hashes of what the destination holds and nobody saw."""
        return self.told.filter(pl.col("is_there") & ~pl.Series(self.seen))["row_hash"]

    def count_quiet(self) -> dict[str, int]:
        """Count what was seen unchanged by what last became of it."""
        return dict(self.told.filter(pl.Series(self.quiet)).group_by("last_status").len().iter_rows())


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


def _apart(rows: pl.DataFrame) -> pl.DataFrame:
    """Copy the texts of a few rows, which would otherwise keep those of the whole batch in memory."""
    return pl.DataFrame(pl.from_arrow(rows.to_arrow(compat_level=pl.CompatLevel.oldest())))


def together(kept: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    """Put what was kept of each batch into one frame, which has its columns even if it is empty."""
    if kept:
        return pl.concat(kept, how="vertical_relaxed")
    schema = dict.fromkeys(names, pl.String) | {"row_hash": pl.Int64, "source_hash": pl.Int64}
    return pl.DataFrame(schema=schema)
