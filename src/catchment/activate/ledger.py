"""What is about to be sent, and what came of it: intents before, outcomes after, and a receipt for each row.

Both are in the lake before anything else is sent, so a run that is killed leaves nothing in doubt but what stands there
as `sending`.
"""

import re
import threading
from collections.abc import Callable, Sequence
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
HASH_IN_TEXT = re.compile(r'"[0-9a-f]{64}"')
MASK = "***"
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=12)

Row = dict[str, Any]
Columns = dict[str, list[Any]]


class Sent(NamedTuple):
    """One row as it went: what the plan says of it, the body that was sent, also as text, and of which batch."""

    row: Row
    body: Row
    operation: Operation
    batch_id: str
    is_removal: bool
    text: str


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
        plain, others = _part(sent, lambda one: not one.is_removal and one.row["held_payload"] is None)
        self._append_frame(_first_time(plain))
        self._append_state([{**_may_be(one), "last_status": "sending"} for one in others])

    def remember(self, sent: Sequence[Sent], job: Job) -> None:
        """Write down which job will say what became of rows, before it is asked."""
        told = orjson.dumps({"id": job.id, "facts": job.facts}).decode()
        self._append_state([{**_may_be(one), "last_status": "pending", "job": told} for one in sent])

    def record(self, sent: Sequence[Sent], outcomes: Sequence[Outcome]) -> None:
        """Write down the answers of the destination."""
        pairs = list(zip(sent, outcomes, strict=True))
        self._append_receipts(self._receipts(sent, outcomes))
        accepted = [one for one, outcome in pairs if outcome.status == "sent" and not one.is_removal]
        self._append_frame(_accepted(accepted, self.now))
        others = [(one, outcome) for one, outcome in pairs if outcome.status != "sent" or one.is_removal]
        self._append_state([self._after(one, outcome) for one, outcome in others])

    def record_untried(self, sent: Sequence[Sent], outcome: Outcome) -> None:
        """Give receipts to rows that were not sent after all; what the destination holds is as it was."""
        receipts = self._receipts(sent, [outcome] * len(sent))
        self._append_receipts({**receipts, "attempts": [0] * len(sent)})

    def record_skips(self, skips: pl.DataFrame) -> None:
        """Write down why rows cannot be sent, once for each reason."""
        self._append_skipped(skips["row_key"].to_list(), skips["reason"].to_list(), "upsert")
        self._append_frame(skips.with_columns(pl.lit("skipped").alias("last_status"), pl.lit(0).alias("attempts")))

    def record_handed_over(self, leavers: pl.DataFrame) -> None:
        """Forget leavers of whom there is nothing to take out."""
        reason = "replaced by the snapshot" if self.sync.mode == "snapshot" else "another row has the same identifier"
        keys = leavers["row_key"].to_list()
        self._append_skipped(keys, [reason] * len(keys), "remove")
        marks = {"reason": reason, "last_status": REMOVED, "attempts": 0}
        self._append_state([{"row_key": key, **marks} for key in keys])

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
        told = {**outcome._asdict(), "operation": "forget", "attempts": 1, "sent_at": self.now}
        self._append_receipts({name: [value] for name, value in {**told, "row_key": row["row_key"]}.items()})
        if status in ("forgotten", "taken_out", "no_deletion"):
            self._append_state([{"row_key": row["row_key"], "last_status": "forgotten", "attempts": 0}])

    def _masked_text(self, one: Sent) -> str:
        """Give what was sent without what a receipt does not repeat: personal values, and whatever is a hash."""
        hidden = {name: MASK for name in self.masked if one.body.get(name) not in (None, "")}
        if HASH_IN_TEXT.search(one.text) is not None:
            hidden |= {name: MASK for name, value in one.body.items() if _is_hash(value)}
        return as_text({**one.body, **hidden}) if hidden else one.text

    def _receipts(self, sent: Sequence[Sent], outcomes: Sequence[Outcome]) -> Columns:
        return {
            "row_key": [one.row["row_key"] for one in sent],
            "operation": [one.operation for one in sent],
            "status": [outcome.status for outcome in outcomes],
            "code": [outcome.code for outcome in outcomes],
            "reason": [outcome.reason for outcome in outcomes],
            "field": [outcome.field for outcome in outcomes],
            "payload": [self._masked_text(one) for one in sent],
            "fingerprint": [one.row["held_fingerprint" if one.is_removal else "fingerprint"] for one in sent],
            "batch_id": [one.batch_id for one in sent],
            "attempts": [_attempt(one.row) for one in sent],
            "sent_at": [self.now] * len(sent),
        }

    def _after(self, one: Sent, outcome: Outcome) -> Row:
        row, attempt = one.row, _attempt(one.row)
        after = {**_trying(one), "tried_payload": None, "last_status": outcome.status, "reason": outcome.reason}
        if outcome.status == "sent" and one.is_removal:
            return {**after, "last_status": REMOVED, "attempts": 0, "sent_at": self.now}
        if outcome.status == "rejected":
            return {**after, **_held(row), "attempts": attempt}
        wait = min(FIRST_WAIT * 2 ** min(attempt - 1, 20), LONGEST_WAIT)
        return {
            **_may_be(one),
            "last_status": outcome.status,
            "reason": outcome.reason,
            "next_attempt_at": self.now + wait,
        }

    def _append_skipped(self, keys: list[str], reasons: list[str], operation: Operation) -> None:
        told: dict[str, Any] = {"operation": operation, "status": "skipped", "attempts": 0}
        columns = {name: [value] * len(keys) for name, value in told.items()}
        self._append_receipts({**columns, "row_key": keys, "reason": reasons})

    def _append_receipts(self, columns: Columns) -> None:
        count = len(columns["row_key"])
        if not count:
            return
        marks = {"run_id": [self.run_id] * count, "sync": [self.sync.name] * count}
        empty = [None] * count
        told = {name: {**columns, **marks}.get(name, empty) for name in SYNC_ROWS.schema.names}
        with self.lock:
            self.lake.append(SYNC_ROWS.name, pa.table(told, SYNC_ROWS.schema))

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


def _part(sent: Sequence[Sent], fits: Callable[[Sent], bool]) -> tuple[list[Sent], list[Sent]]:
    return [one for one in sent if fits(one)], [one for one in sent if not fits(one)]


def _columns(sent: Sequence[Sent], *names: str) -> dict[str, list[Any]]:
    return {name: [one.row.get(name) for one in sent] for name in names}


def _first_time(sent: Sequence[Sent]) -> pl.DataFrame:
    """Give the intents of rows that the destination has not: most rows of a first run, so by column."""
    columns = _columns(sent, "row_key", "payload", "identity", "source_hash")
    columns["tried_fingerprint"] = [one.row["fingerprint"] for one in sent]
    columns["tried_payload"] = [one.text for one in sent]
    columns["operation"] = [one.operation for one in sent]
    columns["batch_id"] = [one.batch_id for one in sent]
    columns["attempts"] = [_attempt(one.row) for one in sent]
    return pl.DataFrame(columns, schema_overrides=STATE_TYPES).with_columns(pl.lit("sending").alias("last_status"))


def _accepted(sent: Sequence[Sent], now: datetime) -> pl.DataFrame:
    """Give what is known of rows that were accepted, by column."""
    columns = _columns(sent, "row_key", "payload", "identity", "source_hash", "fingerprint")
    columns["operation"] = [one.operation for one in sent]
    columns["batch_id"] = [one.batch_id for one in sent]
    frame = pl.DataFrame(columns, schema_overrides=STATE_TYPES)
    return frame.with_columns(
        pl.col("fingerprint").alias("tried_fingerprint"),
        pl.lit("sent").alias("last_status"),
        pl.lit(0).alias("attempts"),
        pl.lit(now).alias("sent_at"),
    )


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASHED.fullmatch(value) is not None


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
        "tried_payload": one.text,
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
