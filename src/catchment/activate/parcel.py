"""A batch on its way, beside what the plan says of its rows: columns, so that a large run is not a heap of objects."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import polars as pl

from catchment.activate.batch import Batch
from catchment.activate.diff import REMOVED

PLANNED: dict[str, Any] = {
    **dict.fromkeys(("row_key", "payload", "fingerprint", "identity"), pl.String),
    **dict.fromkeys(("held_payload", "held_fingerprint", "held_identity", "last_status"), pl.String),
    "attempts": pl.Int64,
    "source_hash": pl.Int64,
}
"""What a plan says of a row; a leaver has only what is held of it."""


class Parcel(NamedTuple):
    """A batch, the plan's rows in the same order, and each body as text."""

    batch: Batch
    rows: pl.DataFrame
    texts: list[str]
    is_removal: bool

    def part(self, start: int, piece: Batch) -> "Parcel":
        """Give the part that a piece of the batch is, which begins with row `start`."""
        count = len(piece.rows)
        if count == len(self.texts):
            return self._replace(batch=piece)
        return Parcel(piece, self.rows.slice(start, count), self.texts[start : start + count], self.is_removal)


def as_planned(rows: pl.DataFrame) -> pl.DataFrame:
    """Give rows every column of a plan, null where they have none, and no other."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(kind).alias(name)
        for name, kind in PLANNED.items()
    )


def on_the_way(parcels: Sequence[Parcel]) -> pl.DataFrame:
    """Give the state of rows that are on their way: what the destination had, and what it may have by now."""
    rows = pl.concat([parcel.rows for parcel in parcels]).with_columns(
        pl.Series("tried_payload", [text for parcel in parcels for text in parcel.texts], pl.String),
        pl.Series("operation", [parcel.batch.operation for parcel in parcels for _ in parcel.texts], pl.String),
        pl.Series("batch_id", [parcel.batch.id for parcel in parcels for _ in parcel.texts], pl.String),
        pl.Series("is_removal", [parcel.is_removal for parcel in parcels for _ in parcel.texts], pl.Boolean),
        (pl.col("attempts").fill_null(0) + 1).alias("attempts"),
    )
    return rows.with_columns(
        pl.when("is_removal").then(pl.lit(REMOVED)).otherwise("fingerprint").alias("tried_fingerprint"),
        pl.when("is_removal").then("held_identity").otherwise("identity").alias("may_be_identity"),
        _may_hold(rows).alias("may_hold"),
    )


def _may_hold(rows: pl.DataFrame) -> pl.Series:
    """Give all that the destination may hold after a request that nobody answered."""
    if rows["held_payload"].null_count() == rows.height:
        return rows["payload"]
    pairs = zip(rows["is_removal"], rows["held_payload"], rows["payload"], strict=True)
    return pl.Series([held if is_removal else _both(held, tried) for is_removal, held, tried in pairs], dtype=pl.String)


def _both(held: str | None, tried: str) -> str:
    if held is None:
        return tried
    news = {name: value for name, value in orjson.loads(tried).items() if value is not None}
    return orjson.dumps({**orjson.loads(held), **news}).decode()
