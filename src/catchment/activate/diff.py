"""What must be told: the rows wanted beside the rows held. Sets of rows are compared, never row by row."""

from dataclasses import dataclass

import polars as pl

REMOVED = "removed"
"""Stands for the fingerprint where a removal was tried."""
UNSURE = ("retry", "unknown")
"""After these nobody knows what the destination holds, so the same payload is sent again."""


@dataclass(frozen=True)
class Plan:
    """What one run has to do, and what it may leave.

    `removals` and `upserts` hold row_key, payload, fingerprint, identity, held_payload, held_fingerprint,
    held_identity and attempts. `handed_over` are leavers whose identifier another member has: nothing is taken out.
    `skips` are those of the left out that nobody has been told of yet.
    """

    removals: pl.DataFrame
    upserts: pl.DataFrame
    handed_over: pl.DataFrame
    skips: pl.DataFrame
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: int
    held: int


def make_plan(wanted: pl.DataFrame, left_out: pl.DataFrame, state: pl.DataFrame, *, is_mirror: bool) -> Plan:
    """Compare what is wanted with what the destination holds; `is_mirror` takes out what is no longer wanted."""
    held = state.select(
        "row_key",
        pl.col("payload").alias("held_payload"),
        pl.col("fingerprint").alias("held_fingerprint"),
        pl.col("identity").alias("held_identity"),
        pl.col("tried_fingerprint").alias("tried"),
        "last_status",
        pl.col("reason").alias("held_reason"),
        "attempts",
    )
    rows = wanted.join(held, on="row_key", how="left")
    is_sure = ~pl.col("last_status").is_in(UNSURE).fill_null(False)
    is_unchanged = (pl.col("held_fingerprint") == pl.col("fingerprint")).fill_null(False) & is_sure
    is_held = ((pl.col("last_status") == "rejected") & (pl.col("tried") == pl.col("fingerprint"))).fill_null(False)
    due = rows.filter(~is_unchanged & ~is_held)
    upserts, replaced = _part_replaced(due, wanted, is_mirror=is_mirror)
    leavers = _leavers(held, wanted) if is_mirror else held.clear()
    refused = (pl.col("last_status") == "rejected") & (pl.col("tried") == REMOVED)
    leavers = leavers.filter(~refused.fill_null(False))
    handed_over = leavers.join(wanted, left_on="held_identity", right_on="identity", how="semi")
    gone = leavers.join(handed_over, on="row_key", how="anti")
    removals = pl.concat([gone, replaced.select(gone.columns)])
    return Plan(
        removals=removals,
        upserts=upserts,
        handed_over=handed_over,
        skips=_new_skips(left_out, held),
        added=due["held_fingerprint"].null_count(),
        changed=due["held_fingerprint"].count(),
        removed=gone.height,
        unchanged=rows.filter(is_unchanged).height,
        skipped=left_out.height,
        held=rows.filter(is_held & ~is_unchanged).height,
    )


def _part_replaced(due: pl.DataFrame, wanted: pl.DataFrame, *, is_mirror: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Find the rows whose identifier changed: what they were goes first, and then they are new."""
    is_replaced = (pl.col("held_payload").is_not_null() & (pl.col("held_identity") != pl.col("identity"))).fill_null(
        False
    ) & pl.lit(is_mirror)
    replaced = due.filter(is_replaced).join(wanted, left_on="held_identity", right_on="identity", how="anti")
    nothing = pl.lit(None, pl.String)
    names = ("held_payload", "held_fingerprint", "held_identity")
    upserts = due.with_columns(pl.when(is_replaced).then(nothing).otherwise(pl.col(name)).alias(name) for name in names)
    return upserts, replaced


def _leavers(held: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """Give what the destination holds, or may hold after an unanswered request, and should not."""
    return held.filter(pl.col("held_payload").is_not_null()).join(wanted, on="row_key", how="anti")


def _new_skips(left_out: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    rows = left_out.join(held, on="row_key", how="left")
    is_told = ((pl.col("last_status") == "skipped") & (pl.col("held_reason") == pl.col("reason"))).fill_null(False)
    return rows.filter(~is_told & pl.col("held_payload").is_null()).select("row_key", "reason")
