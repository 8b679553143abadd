"""A plan on its way: batches of the right size, several at once where that is borne, and every answer written down.

A window of batches is written down as intended, sent, and written down as answered; it grows while the destination is
quick and is a few batches where nothing may be sent twice, so that a kill leaves little in doubt.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import compress, islice

import orjson
import polars as pl

from catchment.activate.batch import SENT, Batch, Job, Operation, Outcome, Payload
from catchment.activate.batches import chunk_size, cut, size_of, with_last
from catchment.activate.body import Bodies
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Sync
from catchment.activate.deliver import send_in_halves
from catchment.activate.destination import Destination
from catchment.activate.diff import ONCE, REMOVED, Plan, Rules
from catchment.activate.ledger import Answered, Ledger
from catchment.activate.parcel import Parcel, as_planned

SILENT_BATCHES = 3
"""After so many batches in a row without an answer, the rest waits for the next run."""
KILLED = Outcome("unknown", "killed", "a run was stopped while this was on its way, and it must not be sent twice")
WINDOW_S = 1.0
LARGEST_WINDOW = 512
FEW = 4
"""So many batches at most are on their way at once that must not be sent twice."""
WINDOW_ROWS = 20_000
"""So many rows in a window are enough, so that memory stays small; the batches that go at once are always in it."""
JOB_PATIENCE_S = 300.0
LONGEST_POLL_S = 15.0


class Delivery:
    """Batches on their way to one destination."""

    def __init__(
        self, sync: Sync, destination: Destination, ledger: Ledger, caller: Caller, clock: Callable[[], float]
    ) -> None:
        self.sync = sync
        self.destination = destination
        self.ledger = ledger
        self.caller = caller
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.bodies = Bodies(sync, destination, ledger.run_id, ledger.now)
        self.silent = 0

    def recover(self, state: pl.DataFrame) -> None:
        """Learn what became of rows that a run before this one left in doubt, where that can be learned.

        Jobs are asked by their ids. Rows that are sent once for ever go again in the very same batches, where the
        destination takes a batch that it knows only once.
        """
        pending = state.filter(pl.col("last_status") == "pending")
        for (job, operation, batch_id), rows in pending.group_by("job", "operation", "batch_id", maintain_order=True):
            told = orjson.loads(str(job))
            parcel = self._again(rows, operation, str(batch_id))  # type: ignore[arg-type]
            outcomes = self._follow(parcel.batch, Job(told["id"], told["facts"]))
            if outcomes is not None:
                self._note((parcel, self._qualified(outcomes)))
        doubtful = state.filter(pl.col("last_status").is_in(("sending", "unknown")) & pl.col("operation").is_in(ONCE))
        for (operation, batch_id), rows in doubtful.group_by("operation", "batch_id", maintain_order=True):
            parcel = self._again(rows, operation, str(batch_id))  # type: ignore[arg-type]
            if self.destination.is_repeatable(self.sync, operation):  # type: ignore[arg-type]
                for answered in self._send(parcel):
                    self._note(answered)
            elif rows["last_status"][0] == "sending":
                self.ledger.record([(parcel, [KILLED] * rows.height)])

    def carry_out(self, plan: Plan, rules: Rules) -> None:
        """Take out before putting in: of a row whose identifier changed, the old must be gone first."""
        replaced = set(plan.upserts.join(plan.removals, on="row_key", how="semi")["row_key"])
        kept: set[str] = set()
        for parcel, outcomes in self._deliver(plan.removals, rules.on_leave, is_removal=True):
            for key, outcome in zip(parcel.batch.keys, outcomes, strict=True):
                if key in replaced and outcome.status == "sent":
                    continue  # it counts once, by what becomes of its new self
                kept.add(key)
                self.counts[outcome.status] += 1
        upserts = plan.upserts.filter(~pl.col("row_key").is_in(list(kept & replaced)))
        for _, outcomes in self._deliver(upserts, rules.put, is_removal=False):
            self.counts.update(outcome.status for outcome in outcomes)

    def _deliver(self, rows: pl.DataFrame, operation: Operation, *, is_removal: bool) -> Iterator[Answered]:
        parts = self._parts(rows, operation, is_removal=is_removal)
        is_repeatable = self.destination.is_repeatable(self.sync, operation)
        at_once = self.destination.own_pace().concurrent
        size = at_once if is_repeatable else min(at_once, FEW)
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            while window := _window(parts, size, at_once):
                began = self.clock()
                yield from self._carry(window, pool if at_once > 1 else None)
                is_quick = self.clock() - began < WINDOW_S
                if is_repeatable:
                    size = min(size * 2, LARGEST_WINDOW) if is_quick else max(at_once, size // 2)

    def _carry(self, window: list[Parcel], pool: ThreadPoolExecutor | None) -> Iterator[Answered]:
        if self.silent >= SILENT_BATCHES:
            waits = Outcome("retry", "not_tried", f"{self.destination.title} did not answer what was sent before")
            untried = [(parcel, [waits] * len(parcel.texts)) for parcel in window]
            self.ledger.record_untried(untried)
            yield from untried
            return
        self.ledger.intend(window)
        answered: list[Answered] = []
        try:
            for answers in map(self._send, window) if pool is None else pool.map(self._listed, window):
                answered.extend(answers)
        finally:
            self.ledger.record(answered)
        yield from answered

    def _listed(self, parcel: Parcel) -> list[Answered]:
        return list(self._send(parcel))

    def _send(self, parcel: Parcel) -> Iterator[Answered]:
        if self.silent >= SILENT_BATCHES:
            waits = Outcome("retry", "not_tried", f"{self.destination.title} did not answer before")
            yield parcel, [waits] * len(parcel.texts)
            return
        batch = self.bodies.only_empty(parcel.batch, self.caller)
        start = 0
        for piece, done in send_in_halves(self.destination, batch, self.caller):
            part = parcel.part(start, piece)
            start += len(piece.rows)
            if isinstance(done, Job):
                self.ledger.remember(part, done)
            outcomes = self._follow(piece, done) if isinstance(done, Job) else done
            if outcomes is not None:
                self._listen(outcomes)
                yield part, self._qualified(outcomes)

    def _qualified(self, outcomes: list[Outcome]) -> list[Outcome]:
        """Let the receipts of a destination that tells of no row say so."""
        if self.destination.tells_rows:
            return outcomes
        words = f"{self.destination.title} took the batch and says nothing of single rows"
        plain = Outcome("sent", "no_row_status", words)
        return [plain if outcome == SENT else outcome for outcome in outcomes]

    def _follow(self, batch: Batch, job: Job) -> list[Outcome] | None:
        """Ask about a job until it has outcomes; None where it takes longer than this run waits."""
        waited_s, pause_s = 0.0, 0.5
        while waited_s < JOB_PATIENCE_S:
            try:
                outcomes = self.destination.poll(job, batch, self.caller)
            except Unanswered:
                outcomes = None
            if outcomes is not None:
                return outcomes
            self.caller.sleep(pause_s)
            waited_s, pause_s = waited_s + pause_s, min(pause_s * 2, LONGEST_POLL_S)
        return None

    def _listen(self, outcomes: list[Outcome]) -> None:
        is_silent = bool(outcomes) and all(outcome.status in ("retry", "unknown") for outcome in outcomes)
        self.silent = self.silent + 1 if is_silent else 0

    def _note(self, answered: Answered) -> None:
        self.ledger.record([answered])
        self.counts["recovered"] += len(answered[0].texts)

    def _parts(self, rows: pl.DataFrame, operation: Operation, *, is_removal: bool) -> Iterator[Parcel]:
        parcels = with_last(self._parcels(as_planned(rows), operation, is_removal=is_removal))
        for number, (parcel, is_last) in enumerate(parcels, start=1):
            batch = parcel.batch._replace(number=number, total=rows.height, is_last=is_last)
            yield parcel._replace(batch=batch)

    def _parcels(self, rows: pl.DataFrame, operation: Operation, *, is_removal: bool) -> Iterator[Parcel]:
        limits = self.destination.limits(self.sync, operation, rows.height)
        identity = self.destination.identity(self.sync)
        for chunk in rows.iter_slices(chunk_size(limits, rows.height)):
            bodies, texts = self.bodies.take(chunk, operation) if is_removal else self.bodies.put(chunk)
            whole = Parcel(self._batch(chunk, bodies, operation, ""), chunk, texts, is_removal)
            whole = whole if limits.row_bytes is None else self._without_large(whole, limits.row_bytes)
            for part in cut(whole.texts, whole.batch.rows, limits, identity):
                count = part.stop - part.start
                piece = self._batch(
                    whole.rows.slice(part.start, count), whole.batch.rows[part], operation, uuid.uuid4().hex
                )
                yield whole.part(part.start, piece)

    def _without_large(self, parcel: Parcel, row_bytes: int) -> Parcel:
        """Reject rows that are larger than any request may hold, and give the others."""
        fits = [size_of(text) <= row_bytes for text in parcel.texts]
        if all(fits):
            return parcel
        kept, large = (self._chosen(parcel, [fit is is_kept for fit in fits]) for is_kept in (True, False))
        outcome = Outcome("rejected", "too_large", f"larger than the {row_bytes:,} bytes that a row may have")
        self.ledger.record([(large, [outcome] * len(large.texts))])
        self.counts["rejected"] += len(large.texts)
        return kept

    def _chosen(self, parcel: Parcel, chosen: list[bool]) -> Parcel:
        rows = parcel.rows.filter(pl.Series(chosen))
        batch = self._batch(rows, list(compress(parcel.batch.rows, chosen)), parcel.batch.operation, "")
        return Parcel(batch, rows, list(compress(parcel.texts, chosen)), parcel.is_removal)

    def _again(self, rows: pl.DataFrame, operation: Operation, batch_id: str) -> Parcel:
        """Read from the state how rows went that are in doubt."""
        planned = as_planned(
            rows.with_columns(
                pl.col("tried_fingerprint").alias("fingerprint"),
                pl.col("payload").alias("held_payload"),
                pl.col("fingerprint").alias("held_fingerprint"),
                pl.col("identity").alias("held_identity"),
                (pl.col("attempts") - 1).alias("attempts"),
            )
        )
        texts = rows["tried_payload"].to_list()
        batch = self._batch(planned, [orjson.loads(text) for text in texts], operation, batch_id)
        return Parcel(batch, planned, texts, is_removal=rows["tried_fingerprint"][0] == REMOVED)

    def _batch(self, rows: pl.DataFrame, bodies: list[Payload], operation: Operation, batch_id: str) -> Batch:
        keys = tuple(rows["row_key"])
        return Batch(self.sync, operation, bodies, keys, batch_id, self.ledger.run_id, total=len(bodies))


def _window(parcels: Iterator[Parcel], size: int, at_once: int) -> list[Parcel]:
    """Take the next batches: so many, or fewer once they hold many rows."""
    window: list[Parcel] = []
    rows = 0
    for parcel in islice(parcels, size):
        window.append(parcel)
        rows += len(parcel.texts)
        if rows >= WINDOW_ROWS and len(window) >= at_once:
            break
    return window
