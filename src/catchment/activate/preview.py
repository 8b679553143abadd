"""What a plan would do, told to people: how many rows, which fields from what to what, and who is left out and why."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from catchment.activate.body import Bodies
from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.planning import Ground, Planned, Wishes, guard, keep_plan, plan_sync
from catchment.activate.state import State

EXAMPLES = 5

Row = dict[str, Any]


@dataclass(frozen=True)
class PlanReport:
    """One plan; examples show what would be sent. `needs_confirmation` says why, or nothing.

    `changed_fields` counts rows by field; `left_out` counts rows by reason. `doubtful` rows are those of which a
    run before this one does not know what became: it is found out first, and may change the plan.
    """

    plan_id: str
    sync: str
    destination: str
    added: int
    changed: int
    removed: int
    unchanged: int
    skipped: int
    held: int
    waiting: int
    doubtful: int
    changed_fields: dict[str, int]
    left_out: dict[str, int]
    examples_added: list[Row]
    examples_changed: list[Row]
    examples_removed: list[Row]
    examples_left_out: list[Row]
    versions: dict[str, Any]
    needs_confirmation: str = ""


def preview_sync(sync: Sync, destination: Destination, ground: Ground, wishes: Wishes | None = None) -> PlanReport:
    """Make a plan, keep it, and tell it; sends nothing.

    It says what it knows: numbers are of the lake as it stands, compared with what the destination has accepted.
    """
    wishes = wishes or Wishes()
    destination.accept(sync)
    state = State(ground.lake, sync, destination)
    planned = plan_sync(sync, destination, ground, state, wishes)
    bodies = Bodies(sync, destination, "(run)", ground.now)
    plan = planned.plan
    identity = set(destination.identity(sync))
    changes = [_change(row, identity) for row in _changed(planned)]
    added = plan.upserts.filter(pl.col("held_fingerprint").is_null()).head(EXAMPLES)
    removals = plan.removals.head(EXAMPLES)
    return PlanReport(
        plan_id=keep_plan(sync, planned, ground),
        sync=sync.name,
        destination=sync.destination,
        **plan.counts(),
        doubtful=state.doubts().height,
        changed_fields=dict(Counter(name for change in changes for name in change["fields"]).most_common()),
        left_out=dict(Counter(planned.left_out["reason"].to_list()).most_common()),
        examples_added=_beside(added, bodies.put(added)[0]),
        examples_changed=changes[:EXAMPLES],
        examples_removed=_beside(removals, bodies.take(removals, planned.rules.on_leave)[0]),
        examples_left_out=planned.left_out.head(EXAMPLES).select("row_key", "reason").to_dicts(),
        versions=planned.versions,
        needs_confirmation=guard(sync, planned),
    )


def _beside(rows: pl.DataFrame, bodies: list[Row]) -> list[Row]:
    return [{"row_key": key, "sent": body} for key, body in zip(rows["row_key"], bodies, strict=True)]


def _changed(planned: Planned) -> list[Row]:
    """Give the rows that the destination holds otherwise, with what it held under another identifier."""
    upserts = planned.plan.upserts
    before = planned.plan.removals.select("row_key", "held_payload").rename({"held_payload": "gone_payload"})
    rows = upserts.join(before, on="row_key", how="left")
    has_past = rows["held_payload"].is_not_null() | rows["gone_payload"].is_not_null()
    return rows.filter(has_past).to_dicts()


def _change(row: Row, identity: set[str]) -> Row:
    """Say which fields would change, from what to what."""
    new = orjson.loads(row["payload"])
    old = orjson.loads(row["held_payload"] or row["gone_payload"])
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    fields = {name: {"old": old.get(name), "new": new.get(name)} for name in names}
    kind = "identifier changed" if identity & set(names) else "" if names else "sent again: the last answer is unknown"
    return {"row_key": row["row_key"], "fields": fields, **({"note": kind} if kind else {})}
