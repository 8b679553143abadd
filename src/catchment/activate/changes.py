"""Which rows may have to be told of: those whose sources changed since they were last told, found by hash.

The sources of a payload are hashed column by column as they stream by, and compared with what was written down when the
row was last told. Only rows that differ are made into payloads; whether one is sent is decided by the payload.
"""

from dataclasses import dataclass
from hashlib import blake2b

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
    seed = mapping_seed(sync, destination)
    names = [ROW_KEY, *sync.columns()]
    kept: list[pl.DataFrame] = []
    seen: list[pl.Series] = []
    quiet: dict[str, int] = {}
    nulls = 0
    for batch in sources:
        rows = hash_rows(pl.DataFrame(pl.from_arrow(batch)), names, seed)
        nulls += rows[ROW_KEY].null_count()
        seen.append(rows["row_hash"])
        fates = rows.select("row_hash", "source_hash").join(index, on="row_hash", how="left", maintain_order="left")
        is_quiet = _is_quiet(fates) if not is_full else pl.repeat(False, rows.height, eager=True)
        kept.append(rows.filter(~is_quiet))
        for status, count in fates.filter(is_quiet).group_by("last_status").len().iter_rows():
            quiet[status] = quiet.get(status, 0) + count
    hashes = pl.concat(seen) if seen else pl.Series("row_hash", [], pl.Int64)
    twice = len(hashes) - hashes.n_unique()
    if nulls or twice:
        raise DefinitionError(
            f"{sync.file}: key: {sync.key} of {sync.model} is no key: {nulls} rows have none, {twice} have another's.",
            hint="Name a column that is unique in that table.",
        )
    held = index.filter(pl.col("is_there"))["row_hash"]
    gone = held.filter(~held.is_in(hashes.implode()))
    return Changes(_together(kept, names), gone, quiet)


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
    parts = [destination.title, sync.mode, sync.audience, sync.name, sync.target, sync.empty]
    told = repr([*parts, sorted((name, repr(source)) for name, source in sync.sources().items())])
    return int.from_bytes(blake2b(told.encode(), digest_size=7).digest(), "big")


def _is_quiet(fates: pl.DataFrame) -> pl.Series:
    is_same = (pl.col("source_hash") == pl.col("source_hash_right")).fill_null(False)
    is_settled = pl.col("last_status").is_in(QUIET).fill_null(False) & ~pl.col("is_twin").fill_null(False)
    return fates.select(is_same & is_settled).to_series()


def _together(kept: list[pl.DataFrame], names: list[str]) -> pl.DataFrame:
    if kept:
        return pl.concat(kept, how="vertical_relaxed")
    schema = dict.fromkeys(names, pl.String) | {"row_hash": pl.Int64, "source_hash": pl.Int64}
    return pl.DataFrame(schema=schema)
