"""A plan on its way: batches of the right size, several at once where that is borne, and every answer written down.

A window of batches is written down as intended, sent, and written down as answered; it grows while the destination is
quick and is one batch where nothing may be sent twice, so that a kill leaves little in doubt.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import orjson
import polars as pl

from catchment.activate.batch import SENT, Batch, Job, Operation, Outcome
from catchment.activate.batches import group, part_too_large, with_last
from catchment.activate.body import Bodies
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Sync
from catchment.activate.deliver import send_in_halves
from catchment.activate.destination import Destination
from catchment.activate.diff import ONCE, REMOVED, Plan, Rules
from catchment.activate.ledger import Ledger, Row, Sent, as_text

SILENT_BATCHES = 3
"""After so many batches in a row without an answer, the rest waits for the next run."""
KILLED = Outcome("unknown", "killed", "a run was stopped while this was on its way, and it must not be sent twice")
WINDOW_S = 1.0
LARGEST_WINDOW = 512
JOB_PATIENCE_S = 300.0
LONGEST_POLL_S = 15.0

Part = tuple[Batch, list[Sent]]
Answered = tuple[list[Sent], list[Outcome]]


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
            sents = [_again(row) for row in rows.to_dicts()]
            told = orjson.loads(str(job))
            batch = self._batch(sents, operation, str(batch_id))  # type: ignore[arg-type]
            self._note(sents, self._follow(batch, Job(told["id"], told["facts"])))
        doubtful = state.filter(pl.col("last_status").is_in(("sending", "unknown")) & pl.col("operation").is_in(ONCE))
        for (operation, batch_id), rows in doubtful.group_by("operation", "batch_id", maintain_order=True):
            sents = [_again(row) for row in rows.to_dicts()]
            if self.destination.is_repeatable(self.sync, operation):  # type: ignore[arg-type]
                batch = self._batch(sents, operation, str(batch_id))  # type: ignore[arg-type]
                for answered in self._send((batch, sents)):
                    self._note(*answered)
            elif rows["last_status"][0] == "sending":
                self.ledger.record(sents, [KILLED] * len(sents))

    def carry_out(self, plan: Plan, rules: Rules) -> None:
        """Take out before putting in: of a row whose identifier changed, the old must be gone first."""
        replaced = set(plan.upserts.join(plan.removals, on="row_key", how="semi")["row_key"])
        kept: set[str] = set()
        for sents, outcomes in self._deliver(plan.removals, rules.on_leave, is_removal=True):
            for one, outcome in zip(sents, outcomes, strict=True):
                key = one.row["row_key"]
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
        size = at_once = self.destination.pace.concurrent
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            while window := list(islice(parts, size)):
                began = self.clock()
                yield from self._carry(window, pool if at_once > 1 else None)
                is_quick = self.clock() - began < WINDOW_S
                if is_repeatable:
                    size = min(size * 2, LARGEST_WINDOW) if is_quick else max(at_once, size // 2)

    def _carry(self, window: list[Part], pool: ThreadPoolExecutor | None) -> Iterator[Answered]:
        if self.silent >= SILENT_BATCHES:
            waits = Outcome("retry", "not_tried", f"{self.destination.title} did not answer what was sent before")
            for _, sents in window:
                self.ledger.record_untried(sents, waits)
                yield sents, [waits] * len(sents)
            return
        self.ledger.intend([one for _, sents in window for one in sents])
        answered: list[Answered] = []
        try:
            for answers in map(self._send, window) if pool is None else pool.map(self._listed, window):
                answered.extend(answers)
        finally:
            self.ledger.record(
                [one for sents, _ in answered for one in sents],
                [outcome for _, outcomes in answered for outcome in outcomes],
            )
        yield from answered

    def _listed(self, part: Part) -> list[Answered]:
        return list(self._send(part))

    def _send(self, part: Part) -> Iterator[Answered]:
        batch, sents = part
        if self.silent >= SILENT_BATCHES:
            yield sents, [Outcome("retry", "not_tried", f"{self.destination.title} did not answer before")] * len(sents)
            return
        batch = self.bodies.only_empty(batch, self.caller)
        known = {one.row["row_key"]: one for one in sents}
        for piece, done in send_in_halves(self.destination, batch, self.caller):
            those = [known[key]._replace(batch_id=piece.id) for key in piece.keys]
            if isinstance(done, Job):
                self.ledger.remember(those, done)
            outcomes = self._follow(piece, done) if isinstance(done, Job) else done
            if outcomes is not None:
                self._listen(outcomes)
                yield those, self._qualified(outcomes)

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

    def _note(self, sents: list[Sent], outcomes: list[Outcome] | None) -> None:
        if outcomes is not None:
            self.ledger.record(sents, self._qualified(outcomes))
            self.counts["recovered"] += len(sents)

    def _parts(self, rows: pl.DataFrame, operation: Operation, *, is_removal: bool) -> Iterator[Part]:
        limits = self.destination.limits(self.sync, operation, rows.height)
        refused: list[Sent] = []
        whole = part_too_large(self._sents(rows, operation, is_removal=is_removal), limits, refused)
        groups = with_last(group(whole, limits, self.destination.identity(self.sync)))
        for number, (sents, is_last) in enumerate(groups, start=1):
            batch_id = uuid.uuid4().hex
            marked = [one._replace(batch_id=batch_id) for one in sents]
            batch = self._batch(marked, operation, batch_id)
            yield batch._replace(number=number, total=rows.height, is_last=is_last), marked
        if refused:
            outcome = Outcome(
                "rejected", "too_large", f"larger than the {limits.row_bytes:,} bytes that a row may have"
            )
            self.ledger.record(refused, [outcome] * len(refused))
            self.counts["rejected"] += len(refused)

    def _sents(self, rows: pl.DataFrame, operation: Operation, *, is_removal: bool) -> Iterator[Sent]:
        for row in rows.iter_rows(named=True):
            body = self.bodies.take(row, operation) if is_removal else self.bodies.put(row)
            yield Sent(row, body, operation, "", is_removal, as_text(body))

    def _batch(self, sents: list[Sent], operation: Operation, batch_id: str) -> Batch:
        keys = tuple(one.row["row_key"] for one in sents)
        bodies = [one.body for one in sents]
        return Batch(self.sync, operation, bodies, keys, batch_id, self.ledger.run_id, total=len(sents))


def _again(row: Row) -> Sent:
    """Read from the state how a row went that is in doubt."""
    is_removal = row["tried_fingerprint"] == REMOVED
    plan = {
        "row_key": row["row_key"],
        "payload": row["payload"],
        "fingerprint": row["tried_fingerprint"],
        "identity": row["identity"],
        "held_payload": row["payload"],
        "held_fingerprint": row["fingerprint"],
        "held_identity": row["identity"],
        "attempts": row["attempts"] - 1,
        "source_hash": row["source_hash"],
    }
    text = row["tried_payload"]
    return Sent(plan, orjson.loads(text), row["operation"], row["batch_id"], is_removal, text)
