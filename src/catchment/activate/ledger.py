"""What was sent and what came of it, in the lake: a receipt per row, and what the destination holds now.

Both are appended as soon as a batch is answered, so a run that is killed knows next time what it had done.
"""

from datetime import datetime
from typing import Any

import orjson
import polars as pl
import pyarrow as pa

from catchment.activate.definition import Sync
from catchment.activate.destination import Destination, Operation, Outcome
from catchment.activate.diff import REMOVED
from catchment.activate.render import hash_text
from catchment.lake.lake import Lake
from catchment.tables import SYNC_ROWS, SYNC_STATE

PERSONAL = {"email", "first_name", "last_name", "name", "phone", "address", "ip_address"}
"""Columns whose values a receipt does not repeat."""
MASK = "***"

Row = dict[str, Any]


class Ledger:
    """The books of one run of one sync."""

    def __init__(self, sync: Sync, destination: Destination, lake: Lake, run_id: str, now: datetime) -> None:
        self.sync = sync
        self.lake = lake
        self.run_id = run_id
        self.now = now
        self.masked = {
            name
            for name, source in sync.sources().items()
            if any(column.split(".")[-1] in PERSONAL for column in source.columns())
        }
        self.scope = _scope(sync, destination)
        self.sequence = 0
        self.is_changed = False

    def read_state(self) -> pl.DataFrame:
        """Give what is known of each row at this destination and target; what another one was told does not count."""
        state = self._newest()
        self.sequence = int(state["sequence"].max() or 0)  # type: ignore[arg-type]
        return state.filter(pl.col("scope") == self.scope)

    def record(self, rows: list[Row], operation: Operation, outcomes: list[Outcome]) -> None:
        """Write down the answer of the destination, before anything else is sent."""
        pairs = list(zip(rows, outcomes, strict=True))
        self._append_receipts([self._receipt(row, operation, outcome) for row, outcome in pairs])
        after = _after_upsert if operation == "upsert" else _after_removal
        self._append_state([{**row, **after(row, outcome, self.now)} for row, outcome in pairs])

    def record_untried(self, rows: list[Row], operation: Operation, outcome: Outcome) -> None:
        """Give receipts to rows that were not sent after all; what the destination holds is as it was."""
        self._append_receipts([self._receipt({**row, "attempts": -1}, operation, outcome) for row in rows])

    def record_skips(self, skips: pl.DataFrame) -> None:
        """Write down why rows cannot be sent, once for each reason."""
        rows = skips.to_dicts()
        self._append_receipts([{**row, "operation": "upsert", "status": "skipped", "attempts": 0} for row in rows])
        self._append_state([{**row, "last_status": "skipped", "attempts": 0} for row in rows])

    def record_handed_over(self, leavers: pl.DataFrame) -> None:
        """Forget leavers whose identifier another member has: there is nothing to take out."""
        reason = "another row has the same identifier"
        rows = [{"row_key": key, "reason": reason} for key in leavers["row_key"].to_list()]
        self._append_receipts([{**row, "operation": "remove", "status": "skipped", "attempts": 0} for row in rows])
        self._append_state([{**row, "last_status": REMOVED, "attempts": 0} for row in rows])

    def close(self) -> None:
        """Leave one row of state for each key."""
        if self.is_changed:
            state = self._newest().select(SYNC_STATE.schema.names).to_arrow().cast(SYNC_STATE.schema)
            self.lake.overwrite(SYNC_STATE.name, state, where=f"sync = '{self.sync.name}'")

    def _newest(self) -> pl.DataFrame:
        state = self.lake.read(SYNC_STATE.name, filters=[("sync", "=", self.sync.name)]).cast(SYNC_STATE.schema)
        frame = pl.DataFrame(pl.from_arrow(state))
        return frame.sort("sequence").unique("row_key", keep="last", maintain_order=True)

    def _receipt(self, row: Row, operation: Operation, outcome: Outcome) -> Row:
        payload = row["payload"] if operation == "upsert" else row["held_payload"]
        return {
            "row_key": row["row_key"],
            "operation": operation,
            "status": outcome.status,
            "code": outcome.code,
            "reason": outcome.reason,
            "field": outcome.field,
            "payload": self._mask(payload),
            "fingerprint": row["fingerprint"] if operation == "upsert" else row["held_fingerprint"],
            "attempts": (row["attempts"] or 0) + 1,
            "sent_at": self.now,
        }

    def _mask(self, payload: str) -> str:
        fields = orjson.loads(payload)
        hidden = {name: MASK for name in self.masked & fields.keys() if fields[name] is not None}
        return orjson.dumps({**fields, **hidden}).decode()

    def _append_receipts(self, rows: list[Row]) -> None:
        marks = {"run_id": self.run_id, "sync": self.sync.name}
        self._append(SYNC_ROWS.name, [{**row, **marks} for row in rows], SYNC_ROWS.schema)

    def _append_state(self, rows: list[Row]) -> None:
        self.sequence += 1
        marks = {"sync": self.sync.name, "scope": self.scope, "sequence": self.sequence, "next_attempt_at": None}
        self._append(SYNC_STATE.name, [{**row, **marks} for row in rows], SYNC_STATE.schema)
        self.is_changed = self.is_changed or bool(rows)

    def _append(self, table: str, rows: list[Row], schema: pa.Schema) -> None:
        if rows:
            self.lake.append(table, pa.Table.from_pylist(rows, schema))


def _scope(sync: Sync, destination: Destination) -> str:
    place = {"kind": destination.title, "url": destination.address, "target": sync.target}
    return hash_text(orjson.dumps(place, option=orjson.OPT_SORT_KEYS).decode())


def _after_upsert(row: Row, outcome: Outcome, now: datetime) -> Row:
    tried = {"tried_fingerprint": row["fingerprint"], "last_status": outcome.status, "reason": outcome.reason}
    accepted = {"fingerprint": row["fingerprint"], "identity": row["identity"]}
    before = {"fingerprint": row["held_fingerprint"], "identity": row["held_identity"]}
    attempts = (row["attempts"] or 0) + 1
    if outcome.status == "sent":
        return {**tried, **accepted, "payload": row["payload"], "attempts": 0, "sent_at": now}
    if outcome.status == "rejected":
        return {**tried, **before, "payload": row["held_payload"], "attempts": attempts, "sent_at": None}
    may_hold = _merge(row["held_payload"], row["payload"])
    return {**tried, **before, "identity": row["identity"], "payload": may_hold, "attempts": attempts, "sent_at": None}


def _after_removal(row: Row, outcome: Outcome, now: datetime) -> Row:
    tried = {"tried_fingerprint": REMOVED, "last_status": outcome.status, "reason": outcome.reason}
    if outcome.status == "sent":
        nothing = {"fingerprint": None, "identity": None, "payload": None}
        return {**tried, **nothing, "last_status": REMOVED, "attempts": 0, "sent_at": now}
    held = {"fingerprint": row["held_fingerprint"], "identity": row["held_identity"], "payload": row["held_payload"]}
    return {**tried, **held, "attempts": (row["attempts"] or 0) + 1, "sent_at": None}


def _merge(held: str | None, tried: str) -> str:
    """Give all that the destination may hold after a request that nobody answered."""
    if held is None:
        return tried
    news = {name: value for name, value in orjson.loads(tried).items() if value is not None}
    return orjson.dumps({**orjson.loads(held), **news}).decode()
