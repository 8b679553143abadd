"""What is about to be sent, and what came of it: intents before, outcomes after, and a receipt for each row.

Both are in the lake before anything else is sent, so a run that is killed leaves nothing in doubt but what stands there
as `sending`.
"""

import re
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl

from catchment.activate.batch import Job, Operation, Outcome, Payload
from catchment.activate.body import as_text
from catchment.activate.definition import Sync
from catchment.activate.diff import REMOVED
from catchment.activate.parcel import Parcel, on_the_way
from catchment.activate.state import State, as_table
from catchment.lake.lake import Lake
from catchment.tables import SYNC_ROWS

PERSONAL = {"email", "first_name", "last_name", "name", "phone", "address", "ip_address"}
"""Columns whose values a receipt does not repeat."""
HASHED = re.compile(r"[0-9a-f]{64}")
HASH_IN_TEXT = re.compile(r'"[0-9a-f]{64}"')
MASK = "***"
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=12)

TEXTS: dict[str, Any] = dict.fromkeys(("code", "reason", "field"), pl.String)

Answered = tuple[Parcel, list[Outcome]]


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

    def intend(self, parcels: Sequence[Parcel]) -> None:
        """Write down what is about to be sent."""
        self._append_frame(_doubtful(on_the_way(parcels), "sending"))

    def remember(self, parcel: Parcel, job: Job) -> None:
        """Write down which job will say what became of rows, before it is asked."""
        told = orjson.dumps({"id": job.id, "facts": job.facts}).decode()
        self._append_frame(_doubtful(on_the_way([parcel]), "pending").with_columns(pl.lit(told).alias("job")))

    def record(self, answered: Sequence[Answered]) -> None:
        """Write down the answers of the destination."""
        if not answered:
            return
        rows = self._answers(answered)
        self._append_receipts(rows)
        self._append_frame(_after(rows, self.now))

    def record_untried(self, answered: Sequence[Answered]) -> None:
        """Give receipts to rows that were not sent after all; what the destination holds is as it was."""
        if answered:
            self._append_receipts(self._answers(answered).with_columns(pl.lit(0).alias("attempts")))

    def record_skips(self, skips: pl.DataFrame) -> None:
        """Write down why rows cannot be sent, once for each reason."""
        self._append_skipped(skips.select("row_key", "reason"), "upsert")
        self._append_frame(skips.with_columns(pl.lit("skipped").alias("last_status"), pl.lit(0).alias("attempts")))

    def record_handed_over(self, leavers: pl.DataFrame) -> None:
        """Forget leavers of whom there is nothing to take out."""
        reason = "replaced by the snapshot" if self.sync.mode == "snapshot" else "another row has the same identifier"
        rows = leavers.select("row_key", pl.lit(reason).alias("reason"))
        self._append_skipped(rows, "remove")
        self._append_frame(rows.with_columns(pl.lit(REMOVED).alias("last_status"), pl.lit(0).alias("attempts")))

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

    def record_forgotten(self, row_key: str, status: str, outcome: Outcome) -> None:
        """Write down that a person was forgotten, without a word about the person; what is not done yet stays known."""
        told = {**outcome._asdict(), "row_key": row_key, "operation": "forget", "attempts": 1}
        self._append_receipts(pl.DataFrame([told], schema_overrides=TEXTS))
        if status in ("forgotten", "taken_out", "no_deletion"):
            gone = {"row_key": row_key, "last_status": "forgotten", "attempts": 0}
            self._append_frame(pl.DataFrame([gone]))

    def _answers(self, answered: Sequence[Answered]) -> pl.DataFrame:
        """Put rows beside their outcomes, with the payload as a receipt repeats it."""
        outcomes = [outcome for _, told in answered for outcome in told]
        masked = [text for parcel, _ in answered for text in map(self._masked_text, parcel.batch.rows, parcel.texts)]
        columns = [pl.Series(name, list(told), pl.String)
                   for name, told in zip(Outcome._fields, zip(*outcomes, strict=True), strict=True)]  # fmt: skip
        rows = on_the_way([parcel for parcel, _ in answered])
        return rows.with_columns(*columns, pl.Series("masked", masked, pl.String))

    def _masked_text(self, body: Payload, text: str) -> str:
        """Give what was sent without what a receipt does not repeat: personal values, and whatever is a hash."""
        hidden = {name: MASK for name in self.masked if body.get(name) not in (None, "")}
        if HASH_IN_TEXT.search(text) is not None:
            hidden |= {name: MASK for name, value in body.items() if _is_hash(value)}
        return as_text({**body, **hidden}) if hidden else text

    def _append_skipped(self, rows: pl.DataFrame, operation: Operation) -> None:
        told: dict[str, Any] = {"operation": operation, "status": "skipped", "attempts": 0}
        self._append_receipts(rows.with_columns(pl.lit(value).alias(name) for name, value in told.items()))

    def _append_receipts(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        receipts = rows.drop("payload", strict=False).rename({"masked": "payload"}, strict=False)
        marked = receipts.with_columns(pl.lit(self.run_id).alias("run_id"), pl.lit(self.sync.name).alias("sync"))
        if "batch_id" in rows.columns:
            told = pl.when("is_removal").then("held_fingerprint").otherwise("fingerprint").alias("fingerprint")
            marked = marked.with_columns(told, pl.lit(self.now).alias("sent_at"))
        elif "code" in rows.columns:
            marked = marked.with_columns(pl.lit(self.now).alias("sent_at"))
        with self.lock:
            self.lake.append(SYNC_ROWS.name, as_table(marked, SYNC_ROWS.schema))

    def _append_frame(self, rows: pl.DataFrame) -> None:
        with self.lock:
            self.state.append(rows)


def _doubtful(rows: pl.DataFrame, status: str) -> pl.DataFrame:
    """Give the state of rows of which nobody knows what became, or will."""
    return rows.select(
        "row_key",
        "operation",
        "batch_id",
        "source_hash",
        "tried_fingerprint",
        "tried_payload",
        "attempts",
        pl.col("held_fingerprint").alias("fingerprint"),
        pl.col("may_hold").alias("payload"),
        pl.col("may_be_identity").alias("identity"),
        pl.lit(status).alias("last_status"),
    )


def _after(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Give the state of rows after an answer: the fingerprint moves only where the destination took the row."""
    is_sent = pl.col("status") == "sent"
    is_gone, is_kept = is_sent & pl.col("is_removal"), is_sent & ~pl.col("is_removal")
    is_rejected = pl.col("status") == "rejected"
    is_open = ~is_sent & ~is_rejected
    tries = pl.min_horizontal(pl.col("attempts") - 1, 20)
    wait_s = pl.min_horizontal(pl.lit(2).pow(tries) * FIRST_WAIT.total_seconds(), LONGEST_WAIT.total_seconds())

    def held(name: str, may_be: str) -> pl.Expr:
        kept = pl.when(is_kept).then(name).when(is_rejected).then(f"held_{name}")
        return kept.when(is_open).then(may_be).alias(name)

    return rows.select(
        "row_key",
        "operation",
        "batch_id",
        "source_hash",
        "tried_fingerprint",
        held("fingerprint", "held_fingerprint"),
        held("payload", "may_hold"),
        held("identity", "may_be_identity"),
        pl.when(is_open).then("tried_payload").alias("tried_payload"),
        pl.when(is_gone).then(pl.lit(REMOVED)).otherwise("status").alias("last_status"),
        pl.when(~is_kept).then("reason").alias("reason"),
        pl.when(is_sent).then(0).otherwise("attempts").alias("attempts"),
        pl.when(is_open).then(pl.lit(now) + pl.duration(seconds=wait_s)).alias("next_attempt_at"),
        pl.when(is_sent).then(pl.lit(now)).alias("sent_at"),
    )


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASHED.fullmatch(value) is not None
