"""One run of one sync: plan what differs, then do exactly that, and write down every answer."""

import time
import uuid
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson
import pyarrow as pa

from catchment.activate.caller import open_caller
from catchment.activate.definition import Sync
from catchment.activate.delivery import Delivery
from catchment.activate.destination import Destination
from catchment.activate.ledger import Ledger
from catchment.activate.pace import Budgets
from catchment.activate.planning import Ground, Planned, Wishes, guard, plan_sync, require_same
from catchment.activate.state import State
from catchment.errors import GuardError
from catchment.tables import SYNC_RUNS

PLANNED = ("added", "changed", "removed")
COUNTED = ("sent", "rejected", "retry", "unknown")


@dataclass(frozen=True)
class SyncReport:
    """One row of `sync_runs`.

    `skipped` rows lack an identifier, `held` ones were refused and have not changed, `waiting` ones wait for the
    time of their next attempt or for a job, `pending` ones are in the hands of a job that goes on after the run.
    """

    run_id: str
    sync: str
    destination: str
    audience: str | None
    started_at: datetime
    finished_at: datetime
    status: str
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    skipped: int = 0
    held: int = 0
    waiting: int = 0
    sent: int = 0
    rejected: int = 0
    retry: int = 0
    unknown: int = 0
    pending: int = 0
    error: str = ""
    versions: str = "{}"


def run_sync(sync: Sync, destination: Destination, ground: Ground, wishes: Wishes | None = None) -> SyncReport:
    """Bring the destination level with what the sync wants there; without a difference, no request is made.

    May be killed at any moment and run again. Raises GuardError, before anything is sent, where the plan goes beyond
    what the sync's guard allows unasked, and StalePlan where it is not the plan that was to be done.
    """
    wishes = wishes or Wishes()
    began = time.monotonic()
    run_id = str(uuid.uuid4())
    counts: Counter[str] = Counter()
    status, error, versions = "failed", "", "{}"
    try:
        destination.accept(sync)
        state = State(ground.lake, sync, destination)
        ledger = Ledger(sync, state, ground.lake, run_id, ground.now)
        with open_caller(
            ground.sleep,
            budget=(ground.budgets or Budgets()).of(destination.credential, destination.own_pace()),
            told=destination.wait_s,
        ) as caller:
            delivery = Delivery(sync, destination, ledger, caller, time.monotonic)
            delivery.recover(state.doubts())
            planned = plan_sync(sync, destination, ground, state, wishes)
            counts.update(planned.plan.counts())
            if wishes.sample is None:
                versions = orjson.dumps(planned.versions).decode()
            _require_leave(sync, planned, wishes, ground)
            _carry_out(planned, ledger, delivery)
        counts.update({name: delivery.counts[name] for name in COUNTED})
        counts["pending"] = sum(counts[name] for name in PLANNED) - sum(counts[name] for name in COUNTED)
        status = _status(counts)
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        destination.close()
        report = SyncReport(
            run_id=run_id,
            sync=sync.name,
            destination=sync.destination,
            audience=sync.audience,
            started_at=ground.now,
            finished_at=ground.now + timedelta(seconds=time.monotonic() - began),
            status=status,
            error=error,
            versions=versions,
            **counts,
        )
        ground.lake.append(SYNC_RUNS.name, pa.Table.from_pylist([asdict(report)], SYNC_RUNS.schema))
    return report


def _status(counts: Counter[str]) -> str:
    if counts["rejected"] + counts["retry"] + counts["unknown"]:
        return "incomplete"
    return "pending" if counts["pending"] + counts["waiting"] else "ok"


def _require_leave(sync: Sync, planned: Planned, wishes: Wishes, ground: Ground) -> None:
    if wishes.plan_id is not None:
        require_same(sync, planned, wishes.plan_id, ground.lake)
    refusal = guard(sync, planned)
    if refusal and not wishes.is_confirmed:
        hint = f"`catchment sync plan {sync.name}` shows whom; `catchment sync run {sync.name} --confirm` does it."
        raise GuardError(refusal, hint=hint)


def _carry_out(planned: Planned, ledger: Ledger, delivery: Delivery) -> None:
    try:
        ledger.record_skips(planned.plan.skips)
        ledger.record_handed_over(planned.plan.handed_over)
        ledger.record_settled(planned.plan.settled)
        delivery.carry_out(planned.plan, planned.rules)
    finally:
        ledger.state.compact()
