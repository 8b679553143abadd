"""One run of one sync: read, compare, send only what differs, and write down every answer."""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from catchment.activate.batch import Batch, Job, Operation, Outcome
from catchment.activate.caller import Caller, open_caller
from catchment.activate.definition import Sync
from catchment.activate.deliver import send_in_halves
from catchment.activate.destination import Destination
from catchment.activate.diff import Plan, make_plan
from catchment.activate.ledger import Ledger
from catchment.activate.mapping import read_rows
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import SYNC_RUNS

SILENT_BATCHES = 3
"""After so many batches in a row without an answer, the rest waits for the next run."""

Row = dict[str, Any]


@dataclass(frozen=True)
class SyncReport:
    """One row of `sync_runs`; `skipped` rows lack an identifier, `held` ones were refused and have not changed."""

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
    sent: int = 0
    rejected: int = 0
    retry: int = 0
    unknown: int = 0
    error: str = ""


def run_sync(
    sync: Sync,
    destination: Destination,
    session: Session,
    lake: Lake,
    now: datetime,
    sleep: Callable[[float], None] = time.sleep,
) -> SyncReport:
    """Bring the destination level with what the sync wants there; without a difference, no request is made.

    May be killed at any moment and run again: what was answered is known, and all else is sent.
    """
    began = time.monotonic()
    run_id = str(uuid.uuid4())
    counts: Counter[str] = Counter()
    status, error = "failed", ""
    try:
        destination.accept(sync)
        ledger = Ledger(sync, destination, lake, run_id, now)
        rows = read_rows(sync, destination, session, lake)
        plan = make_plan(rows.wanted, rows.left_out, ledger.read_state(), is_mirror=sync.mode == "mirror")
        counts.update(_planned(plan))
        ledger.record_skips(plan.skips)
        ledger.record_handed_over(plan.handed_over)
        if plan.removals.height or plan.upserts.height:
            with open_caller(sleep) as caller:
                _Delivery(sync, destination, ledger, caller, counts).carry_out(plan)
        ledger.close()
        status = "incomplete" if counts["rejected"] + counts["retry"] + counts["unknown"] else "ok"
    except BaseException as raised:
        error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        report = SyncReport(
            run_id=run_id,
            sync=sync.name,
            destination=sync.destination,
            audience=sync.audience,
            started_at=now,
            finished_at=now + timedelta(seconds=time.monotonic() - began),
            status=status,
            error=error,
            **counts,
        )
        lake.append(SYNC_RUNS.name, pa.Table.from_pylist([asdict(report)], SYNC_RUNS.schema))
    return report


class _Delivery:
    """Batches on their way to one destination."""

    def __init__(
        self, sync: Sync, destination: Destination, ledger: Ledger, caller: Caller, counts: Counter[str]
    ) -> None:
        self.sync = sync
        self.destination = destination
        self.ledger = ledger
        self.caller = caller
        self.counts = counts
        self.silent = 0

    def carry_out(self, plan: Plan) -> None:
        """Take out before putting in: of a row whose identifier changed, the old must be gone first."""
        replaced = set(plan.upserts.join(plan.removals, on="row_key", how="semi")["row_key"])
        kept: set[str] = set()
        for row, outcome in self._deliver(plan.removals, "remove"):
            key = row["row_key"]
            if key in replaced and outcome.status == "sent":
                continue  # it counts once, by what becomes of its new self
            kept.add(key)
            self.counts[outcome.status] += 1
        upserts = plan.upserts.filter(~pl.col("row_key").is_in(kept & replaced))
        for _, outcome in self._deliver(upserts, "upsert"):
            self.counts[outcome.status] += 1

    def _deliver(self, rows: pl.DataFrame, operation: Operation) -> Iterator[tuple[Row, Outcome]]:
        for part in rows.iter_slices(self.destination.batch_limits.rows or rows.height):
            batch = part.to_dicts()
            if self.silent >= SILENT_BATCHES:
                waits = Outcome("retry", "not_tried", f"{self.destination.title} did not answer what was sent before")
                self.ledger.record_untried(batch, operation, waits)
                outcomes = [waits] * len(batch)
            else:
                outcomes = self._send([_payload(row, operation) for row in batch], operation)
                self.ledger.record(batch, operation, outcomes)
            yield from zip(batch, outcomes, strict=True)

    def _send(self, payloads: list[Row], operation: Operation) -> list[Outcome]:
        batch = Batch(self.sync, operation, payloads)
        outcomes: list[Outcome] = []
        for part, done in send_in_halves(self.destination, batch, self.caller):
            while isinstance(done, Job):
                done = self.destination.poll(done, part, self.caller) or done
            outcomes += done
            is_silent = all(outcome.status in ("retry", "unknown") for outcome in done)
            self.silent = self.silent + 1 if is_silent else 0
        return outcomes


def _planned(plan: Plan) -> dict[str, int]:
    names = ("added", "changed", "removed", "unchanged", "skipped", "held")
    return {name: getattr(plan, name) for name in names}


def _payload(row: Row, operation: Operation) -> Row:
    """Give what is sent: no empty fields, but for those that we had filled before and must clear."""
    if operation == "remove":
        held: Row = orjson.loads(row["held_payload"])
        return {name: value for name, value in held.items() if value is not None}
    wanted: Row = orjson.loads(row["payload"])
    before: Row = orjson.loads(row["held_payload"] or b"{}")
    return {name: value for name, value in wanted.items() if value is not None or before.get(name) is not None}
