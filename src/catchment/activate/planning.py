"""What one run would do, made from the lake at known versions: shown, kept, and done only as it was shown."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa

from catchment.activate.changes import find_changes
from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.diff import Plan, Rules, make_plan
from catchment.activate.mapping import read_sources
from catchment.activate.pace import Budgets
from catchment.activate.render import TWIN, Rows, hash_text, render_rows
from catchment.activate.state import State, hash_keys
from catchment.activate.versions import find_changes_since, versions_of
from catchment.errors import StalePlan
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS, SYNC_PLANS

JUDGED = "audience_members for suppression"
"""Stands among the versions where rules said who may be sent: with other rules all rows are compared again."""


@dataclass(frozen=True)
class Wishes:
    """What was asked of one run beyond its file: everything anew, the refused again, one row as a test, a kept plan."""

    is_full: bool = False
    retries_rejected: bool = False
    sample: int | None = None
    is_confirmed: bool = False
    plan_id: str | None = None


class Planned(NamedTuple):
    """A plan, how it was made, and the versions of the tables it was made from. `there` rows the destination holds."""

    plan: Plan
    rules: Rules
    versions: dict[str, Any]
    there: int
    left_out: pl.DataFrame

    @property
    def digest(self) -> str:
        """Stand for exactly these rows and operations."""
        parts = [
            frame.select(pl.lit(kind), "row_key", pl.col(fingerprint).fill_null("")).sort("row_key").write_csv()
            for kind, frame, fingerprint in (
                (self.rules.put, self.plan.upserts, "fingerprint"),
                (self.rules.on_leave, self.plan.removals, "held_fingerprint"),
            )
        ]
        return hash_text("\n".join(parts))


class Ground(NamedTuple):
    """What a run stands on: the lake and a session over it, the time, and the budgets that all runs share."""

    session: Session
    lake: Lake
    now: datetime
    budgets: Budgets | None = None
    sleep: Callable[[float], None] = time.sleep
    may_send: Callable[[pa.Array], pa.Array] | None = None
    """Says of each row's key whether the destination may hear of it; a row it may not is as one that is gone."""


def plan_sync(sync: Sync, destination: Destination, ground: Ground, state: State, wishes: Wishes) -> Planned:
    """Compare what the sync wants with what the destination holds; reads, and changes nothing."""
    versions = versions_of(sync, destination, ground.lake)
    is_judged = ground.may_send is not None
    if is_judged:
        versions[JUDGED] = ground.lake.version(AUDIENCE_MEMBERS.name)
    looks_at_all = wishes.is_full or wishes.retries_rejected or sync.mode == "snapshot"
    changes = None if looks_at_all or is_judged else find_changes_since(sync, destination, ground.lake, state, versions)
    if changes is None:

        def read() -> pa.RecordBatchReader:
            return _allowed(read_sources(sync, ground.session, ground.lake), ground.may_send)

        changes = find_changes(read, sync, destination, state, is_full=looks_at_all)
    concerned = pl.concat([changes.rows["row_hash"], changes.gone.alias("row_hash")])
    rendered = render_rows(changes.rows, sync, destination)
    changes = replace(changes, rows=changes.rows.clear())  # their payloads stand for them from here on
    held = state.rows(concerned)
    rendered = _without_twins(rendered, held, concerned, state)
    rules = Rules(
        mode=sync.mode,
        on_leave=sync.on_leave,
        now=ground.now,
        is_full=wishes.is_full,
        retries_rejected=wishes.retries_rejected,
        is_repeatable=destination.is_repeatable(sync, "event" if sync.mode == "event" else "insert"),
    )
    plan = _with_quiet(make_plan(rendered.wanted, rendered.left_out, held, rules), changes.quiet)
    plan = plan if wishes.sample is None else _sampled(plan, wishes.sample)
    return Planned(plan, rules, versions, state.count_there(), rendered.left_out)


def guard(sync: Sync, planned: Planned) -> str:
    """Say why a plan needs to be confirmed, nothing where it need not."""
    for share, verb, count in (
        (sync.guard.remove, "remove", planned.plan.removed),
        (sync.guard.change, "change", planned.plan.changed),
    ):
        if count > sync.guard.rows and count > share * planned.there and share < 1:
            return (
                f"{sync.file or sync.name}: the plan would {verb} {count:,} of the {planned.there:,} rows there, "
                f"more than guard.{verb} allows ({share:.0%})."
            )
    return ""


def keep_plan(sync: Sync, planned: Planned, ground: Ground) -> str:
    """Write a plan down, so that it can be done later exactly so; give its id."""
    plan_id = uuid.uuid4().hex
    row = {
        "plan_id": plan_id,
        "sync": sync.name,
        "made_at": ground.now,
        "definition": _definition(sync),
        "versions": orjson.dumps(planned.versions).decode(),
        "digest": planned.digest,
        "counts": orjson.dumps(planned.plan.counts()).decode(),
    }
    ground.lake.append(SYNC_PLANS.name, pa.Table.from_pylist([row], SYNC_PLANS.schema))
    return plan_id


def last_plan(sync: Sync, lake: Lake) -> str:
    """Give the id of the newest plan of a sync; raises StalePlan where there is none."""
    rows = lake.read(SYNC_PLANS.name, filters=[("sync", "=", sync.name)]).sort_by("made_at").to_pylist()
    if not rows:
        raise StalePlan(
            f"There is no plan of the sync '{sync.name}'.", hint=f"`catchment sync plan {sync.name}` makes one."
        )
    return str(rows[-1]["plan_id"])


def require_same(sync: Sync, planned: Planned, plan_id: str, lake: Lake) -> None:
    """Raise StalePlan where what would be done now is not what the kept plan says, naming what changed."""
    rows = lake.read(SYNC_PLANS.name, filters=[("plan_id", "=", plan_id)]).to_pylist()
    hint = f"`catchment sync plan {sync.name}` makes a new one."
    if not rows or rows[0]["sync"] != sync.name:
        raise StalePlan(f"There is no plan '{plan_id}' of the sync '{sync.name}'.", hint=hint)
    kept = rows[0]
    if kept["definition"] != _definition(sync):
        raise StalePlan(f"{sync.file or sync.name} was changed since the plan was made.", hint=hint)
    before = orjson.loads(kept["versions"])
    for table, version in planned.versions.items():
        if before.get(table) != version:
            raise StalePlan(
                f"The plan of '{sync.name}' was made from {table} at version {before.get(table)}, "
                f"which is at version {version} now.",
                hint=hint,
            )
    if kept["digest"] != planned.digest:
        raise StalePlan(f"What '{sync.destination}' holds changed since the plan of '{sync.name}' was made.", hint=hint)


def _allowed(rows: pa.RecordBatchReader, may_send: Callable[[pa.Array], pa.Array] | None) -> pa.RecordBatchReader:
    """Leave out rows whose key, the first column, may not be sent."""
    if may_send is None:
        return rows
    batches = (batch.filter(may_send(batch.column(0))) for batch in rows)
    return pa.RecordBatchReader.from_batches(rows.schema, batches)


def _definition(sync: Sync) -> str:
    return hash_text(sync.model_dump_json())


def _without_twins(rendered: Rows, held: pl.DataFrame, concerned: pl.Series, state: State) -> Rows:
    """Leave out rows that would be known there by what a row that stays as it is, is known by."""
    own = held.select("row_key", pl.col("identity").alias("own"))
    fresh = rendered.wanted.join(own, on="row_key", how="left")
    fresh = fresh.filter((pl.col("own") != pl.col("identity")).fill_null(True))
    if fresh.is_empty():
        return rendered
    holders = state.holders(fresh["identity"]).filter(~hash_keys(pl.col("row_key")).is_in(concerned.implode()))
    twins = fresh.join(holders, on="identity", how="semi")
    reason = twins.with_columns(pl.lit(TWIN).alias("reason")).select(rendered.left_out.columns)
    wanted = rendered.wanted.join(twins, on="row_key", how="anti")
    return Rows(wanted, pl.concat([rendered.left_out, reason]))


def _with_quiet(plan: Plan, quiet: dict[str, int]) -> Plan:
    return replace(
        plan,
        unchanged=plan.unchanged + quiet.get("sent", 0),
        skipped=plan.skipped + quiet.get("skipped", 0),
        held=plan.held + quiet.get("rejected", 0),
        waiting=plan.waiting + quiet.get("pending", 0),
    )


def _sampled(plan: Plan, count: int) -> Plan:
    """Keep the first rows that would be put there, and nothing else."""
    upserts = plan.upserts.head(count)
    return replace(
        plan,
        upserts=upserts,
        removals=plan.removals.clear(),
        handed_over=plan.handed_over.clear(),
        added=upserts["held_fingerprint"].null_count(),
        changed=upserts["held_fingerprint"].count(),
        removed=0,
    )
