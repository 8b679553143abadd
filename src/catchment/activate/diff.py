"""What must be told: the rows wanted beside the rows held. Sets of rows are compared, never row by row."""

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from catchment.activate.batch import Operation
from catchment.activate.definition import Leave, Mode

REMOVED = "removed"
"""Stands for the fingerprint where a removal was tried."""
UNSURE = ("retry", "unknown", "sending")
"""After these nobody knows what the destination holds, so the same payload is sent again."""
ONCE = ("insert", "event")
"""Modes in which a row is sent once, for ever."""


@dataclass(frozen=True)
class Rules:
    """How one run compares: the mode, what is done with leavers, and what was asked for this once."""

    mode: Mode = "mirror"
    on_leave: Leave = "remove"
    now: datetime | None = None
    is_full: bool = False
    retries_rejected: bool = False
    is_repeatable: bool = True

    @property
    def put(self) -> Operation:
        """The operation by which wanted rows are put there."""
        named: dict[str, Operation] = {"insert": "insert", "update": "update", "event": "event", "remove": "remove"}
        return named.get(self.mode, "upsert")


@dataclass(frozen=True)
class Plan:
    """What one run has to do, and what it may leave.

    `removals` and `upserts` hold row_key, payload, fingerprint, identity, held_payload, held_fingerprint,
    held_identity, last_status and attempts. `handed_over` are leavers of whom nothing is taken out: another member has
    their identifier, or a snapshot replaces them. `settled` came to what the destination holds, though their sources
    changed. `skips` are those of the left out that nobody has been told of yet.
    """

    removals: pl.DataFrame
    upserts: pl.DataFrame
    handed_over: pl.DataFrame
    settled: pl.DataFrame
    skips: pl.DataFrame
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: int
    held: int
    waiting: int

    def counts(self) -> dict[str, int]:
        """Give the counts of `sync_runs`."""
        names = ("added", "changed", "removed", "unchanged", "skipped", "held", "waiting")
        return {name: getattr(self, name) for name in names}


def make_plan(wanted: pl.DataFrame, left_out: pl.DataFrame, state: pl.DataFrame, rules: Rules) -> Plan:
    """Compare what is wanted with what the destination holds."""
    held = _held(state)
    rows = wanted.join(held, on="row_key", how="left")
    is_sure = ~pl.col("last_status").is_in(UNSURE).fill_null(False)
    is_same = (pl.col("held_fingerprint") == pl.col("fingerprint")).fill_null(False) & is_sure
    is_done = pl.col("held_fingerprint").is_not_null()
    is_stuck = pl.col("last_status").is_in(("unknown", "sending")).fill_null(False) & pl.lit(not rules.is_repeatable)
    is_refused = ((pl.col("last_status") == "rejected") & (pl.col("tried") == pl.col("fingerprint"))).fill_null(False)
    marked = rows.with_columns(
        _first_of(
            unchanged=is_done if rules.mode in ONCE else is_same & pl.lit(not _sends_all(rules)),
            held=(is_stuck & pl.lit(rules.mode in ONCE)) | (is_refused & pl.lit(not rules.retries_rejected)),
            waiting=_waits(rules.now),
        )
    )
    due = marked.filter(pl.col("fate") == "due").drop("fate")
    upserts, replaced = _part_replaced(due, wanted, is_mirror=rules.mode == "mirror")
    gone, waiting = _leavers(held, wanted, rules)
    handed_over = gone.join(wanted, left_on="held_identity", right_on="identity", how="semi")
    if rules.mode == "snapshot":
        handed_over = gone
    gone = gone.join(handed_over, on="row_key", how="anti")
    fates = dict(marked.group_by("fate").len().iter_rows())
    unchanged = marked.filter(pl.col("fate") == "unchanged")
    return Plan(
        removals=pl.concat([gone, replaced.select(gone.columns)]),
        upserts=upserts,
        handed_over=handed_over,
        settled=unchanged.drop("fate") if rules.mode not in ONCE else unchanged.clear().drop("fate"),
        skips=_new_skips(left_out, held),
        added=due["held_fingerprint"].null_count(),
        changed=due["held_fingerprint"].count(),
        removed=gone.height,
        unchanged=fates.get("unchanged", 0),
        skipped=left_out.height,
        held=fates.get("held", 0),
        waiting=fates.get("waiting", 0) + waiting,
    )


def _sends_all(rules: Rules) -> bool:
    return rules.is_full or rules.mode == "snapshot"


def _held(state: pl.DataFrame) -> pl.DataFrame:
    return state.select(
        "row_key",
        pl.col("payload").alias("held_payload"),
        pl.col("fingerprint").alias("held_fingerprint"),
        pl.col("identity").alias("held_identity"),
        pl.col("tried_fingerprint").alias("tried"),
        "last_status",
        pl.col("reason").alias("held_reason"),
        "attempts",
        "next_attempt_at",
    )


def _first_of(**fates: pl.Expr) -> pl.Expr:
    """Name the first fate that is true of a row; `due` where none is."""
    names = [pl.when(is_true).then(pl.lit(name)) for name, is_true in fates.items()]
    return pl.coalesce(*names, pl.lit("due")).alias("fate")


def _waits(now: datetime | None) -> pl.Expr:
    if now is None:
        return pl.lit(False)
    later = (pl.col("next_attempt_at") > pl.lit(now)).fill_null(False)
    return (pl.col("last_status").is_in(("retry", "unknown")) & later).fill_null(False) | (
        pl.col("last_status") == "pending"
    ).fill_null(False)


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


def _leavers(held: pl.DataFrame, wanted: pl.DataFrame, rules: Rules) -> tuple[pl.DataFrame, int]:
    """Give what the destination holds, or may hold after an unanswered request, and should not; and how many wait."""
    if rules.mode not in ("mirror", "snapshot"):
        return held.clear(), 0
    leavers = held.filter(pl.col("held_payload").is_not_null()).join(wanted, on="row_key", how="anti")
    refused = (pl.col("last_status") == "rejected") & (pl.col("tried") == REMOVED) & pl.lit(not rules.retries_rejected)
    leavers = leavers.filter(~refused.fill_null(False))
    waits = _waits(rules.now) & ((pl.col("tried") == REMOVED) | (pl.col("last_status") == "pending")).fill_null(False)
    return leavers.filter(~waits), leavers.filter(waits).height


def _new_skips(left_out: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    rows = left_out.join(held, on="row_key", how="left")
    is_told = ((pl.col("last_status") == "skipped") & (pl.col("held_reason") == pl.col("reason"))).fill_null(False)
    return rows.filter(~is_told & pl.col("held_payload").is_null()).select(left_out.columns)
