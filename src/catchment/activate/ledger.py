"""What is about to be sent, and what came of it: intents before, outcomes after, and a receipt for each row.

Both are in the lake before anything else is sent, so a run that is killed leaves nothing in doubt but what stands there
as `sending`.
"""

import re
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import orjson
import polars as pl
import pyarrow as pa

from catchment.activate.batch import Job, Operation, Outcome
from catchment.activate.definition import Sync
from catchment.activate.diff import REMOVED
from catchment.activate.state import State
from catchment.lake.lake import Lake
from catchment.tables import SYNC_ROWS

PERSONAL = {"email", "first_name", "last_name", "name", "phone", "address", "ip_address"}
"""Columns whose values a receipt does not repeat."""
HASHED = re.compile(r"[0-9a-f]{64}")
MASK = "***"
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=12)

Row = dict[str, Any]


class Sent(NamedTuple):
    """One row as it went: what the plan says of it, the body that was sent, and of which batch."""

    row: Row
    body: Row
    operation: Operation
    batch_id: str
    is_removal: bool


class Ledger:
    """The books of one run of one sync; safe to write from several threads."""

    def __init__(self, sync: Sync, state: State, lake: Lake, run_id: str, now: datetime) -> None:
        self.state = state
        self.sync = sync
        self.lake = lake
        self.run_id = run_id
        self.now = now
        self.lock = threading.RLock()
        self.masked = {
            name
            for name, source in sync.sources().items()
            if any(column.split(".")[-1] in PERSONAL for column in source.columns())
        }

    def intend(self, sent: Sequence[Sent]) -> None:
        """Write down what is about to be sent."""
        self._append_state([{**_may_be(one), "last_status": "sending"} for one in sent])

    def remember(self, sent: Sequence[Sent], job: Job) -> None:
        """Write down which job will say what became of rows, before it is asked."""
        told = orjson.dumps({"id": job.id, "facts": job.facts}).decode()
        self._append_state([{**_may_be(one), "last_status": "pending", "job": told} for one in sent])

    def record(self, sent: Sequence[Sent], outcomes: Sequence[Outcome]) -> None:
        """Write down the answers of the destination."""
        pairs = list(zip(sent, outcomes, strict=True))
        self._append_receipts([self._receipt(one, outcome) for one, outcome in pairs])
        self._append_state([self._after(one, outcome) for one, outcome in pairs])

    def record_untried(self, sent: Sequence[Sent], outcome: Outcome) -> None:
        """Give receipts to rows that were not sent after all; what the destination holds is as it was."""
        self._append_receipts([{**self._receipt(one, outcome), "attempts": 0} for one in sent])

    def record_skips(self, skips: pl.DataFrame) -> None:
        """Write down why rows cannot be sent, once for each reason."""
        receipts = skips.select("row_key", "reason").to_dicts()
        self._append_receipts([{**row, "operation": "upsert", "status": "skipped", "attempts": 0} for row in receipts])
        self._append_frame(skips.with_columns(pl.lit("skipped").alias("last_status"), pl.lit(0).alias("attempts")))

    def record_handed_over(self, leavers: pl.DataFrame) -> None:
        """Forget leavers of whom there is nothing to take out."""
        reason = "replaced by the snapshot" if self.sync.mode == "snapshot" else "another row has the same identifier"
        rows = [{"row_key": key, "reason": reason} for key in leavers["row_key"].to_list()]
        self._append_receipts([{**row, "operation": "remove", "status": "skipped", "attempts": 0} for row in rows])
        self._append_state([{**row, "last_status": REMOVED, "attempts": 0} for row in rows])

    def record_settled(self, rows: pl.DataFrame) -> None:
        """Note that changed sources came to the payload that the destination holds: they are not looked at again."""
        known = rows.select(
            "row_key",
            "payload",
            "fingerprint",
            "identity",
            "source_hash",
            pl.col("fingerprint").alias("tried_fingerprint"),
            pl.lit("sent").alias("last_status"),
            pl.lit(0).alias("attempts"),
        )
        self._append_frame(known)

    def record_forgotten(self, row: Row, status: str, outcome: Outcome) -> None:
        """Write down that a person was forgotten, without a word about the person; what is not done yet stays known."""
        receipt = {
            "row_key": row["row_key"],
            "operation": "forget",
            "status": outcome.status,
            "code": outcome.code,
            "reason": outcome.reason,
            "attempts": 1,
            "sent_at": self.now,
        }
        self._append_receipts([receipt])
        if status in ("forgotten", "taken_out", "no_deletion"):
            self._append_state([{"row_key": row["row_key"], "last_status": "forgotten", "attempts": 0}])

    def mask(self, payload: Row) -> Row:
        """Give a payload without what a receipt does not repeat."""
        return {name: self._masked(name, value) for name, value in payload.items()}

    def _masked(self, name: str, value: Any) -> Any:
        if value is None or value == "":
            return value
        is_hash = isinstance(value, str) and HASHED.fullmatch(value) is not None
        return MASK if name in self.masked or is_hash else value

    def _receipt(self, one: Sent, outcome: Outcome) -> Row:
        return {
            "row_key": one.row["row_key"],
            "operation": one.operation,
            "status": outcome.status,
            "code": outcome.code,
            "reason": outcome.reason,
            "field": outcome.field,
            "payload": orjson.dumps(self.mask(one.body)).decode(),
            "fingerprint": one.row["held_fingerprint"] if one.is_removal else one.row["fingerprint"],
            "batch_id": one.batch_id,
            "attempts": _attempt(one.row),
            "sent_at": self.now,
        }

    def _after(self, one: Sent, outcome: Outcome) -> Row:
        row, attempt = one.row, _attempt(one.row)
        after = {**_trying(one), "tried_payload": None, "last_status": outcome.status, "reason": outcome.reason}
        if outcome.status == "sent" and one.is_removal:
            return {**after, "last_status": REMOVED, "attempts": 0, "sent_at": self.now}
        if outcome.status == "sent":
            accepted = {name: row[name] for name in ("payload", "fingerprint", "identity")}
            return {**after, **accepted, "attempts": 0, "sent_at": self.now}
        if outcome.status == "rejected":
            return {**after, **_held(row), "attempts": attempt}
        wait = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
        return {
            **_may_be(one),
            "last_status": outcome.status,
            "reason": outcome.reason,
            "next_attempt_at": self.now + wait,
        }

    def _append_receipts(self, rows: list[Row]) -> None:
        if not rows:
            return
        marked = [{**row, "run_id": self.run_id, "sync": self.sync.name} for row in rows]
        with self.lock:
            self.lake.append(SYNC_ROWS.name, pa.Table.from_pylist(marked, SYNC_ROWS.schema))

    def _append_state(self, rows: list[Row]) -> None:
        if rows:
            self._append_frame(pl.DataFrame(rows, schema_overrides=STATE_TYPES, infer_schema_length=None))

    def _append_frame(self, rows: pl.DataFrame) -> None:
        with self.lock:
            self.state.append(rows)


STATE_TYPES: dict[str, Any] = {
    **dict.fromkeys(("identity", "fingerprint", "payload", "tried_payload", "tried_fingerprint", "reason"), pl.String),
    "source_hash": pl.Int64,
    "next_attempt_at": pl.Datetime("us", "UTC"),
    "sent_at": pl.Datetime("us", "UTC"),
}


def as_text(body: Row) -> str:
    """Give a payload as text."""
    return orjson.dumps(body).decode()


def _held(row: Row) -> Row:
    return {
        "identity": row["held_identity"],
        "fingerprint": row["held_fingerprint"],
        "payload": row["held_payload"],
        "source_hash": row.get("source_hash"),
    }


def _trying(one: Sent) -> Row:
    return {
        "row_key": one.row["row_key"],
        "operation": one.operation,
        "tried_fingerprint": REMOVED if one.is_removal else one.row["fingerprint"],
        "tried_payload": as_text(one.body),
        "batch_id": one.batch_id,
        "source_hash": one.row.get("source_hash"),
    }


def _may_be(one: Sent) -> Row:
    """Give the state of a row that is on its way: what the destination had, and what it may have by now."""
    may_be = {**_held(one.row), **_trying(one), "attempts": _attempt(one.row)}
    if one.is_removal:
        return may_be
    payload = _may_hold(one.row["held_payload"], one.row["payload"])
    return {**may_be, "identity": one.row["identity"], "payload": payload}


def _attempt(row: Row) -> int:
    return int(row["attempts"] or 0) + 1


def _may_hold(held: str | None, tried: str) -> str:
    """Give all that the destination may hold after a request that nobody answered."""
    if held is None:
        return tried
    news = {name: value for name, value in orjson.loads(tried).items() if value is not None}
    return orjson.dumps({**orjson.loads(held), **news}).decode()
