"""The verbs from a request to the lake: collect and enrich."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from catchment.project.opened import Opened
from catchment.tables import BATCHES, OFFSET


@dataclass(frozen=True)
class Drained:
    """What one emptying of the log came to; received = events + failed + suppressed."""

    payloads: int = 0
    received: int = 0
    events: int = 0
    failed: int = 0
    suppressed: int = 0


class EventVerbs(Opened):
    """Requests become payloads, payloads become events."""

    def collect(self) -> None:
        """Serve the collector until stopped."""
        from catchment.collect.server import serve_collector

        serve_collector(self.settings.collect, self.folder)

    def enrich(self) -> Drained:
        """Turn every payload that waits in the log into events and failed events of the lake.

        A payload leaves the log only after the lake holds what became of it, so stopping anywhere loses nothing.
        """
        if self.waiting() == 0:
            return Drained()
        with self.timed("enrich") as run:
            total = self.drain()
            run.counts.update(vars(total))
        return total

    def waiting(self) -> int:
        """Count the payloads that wait in the log."""
        with self.opened_log() as log:
            return int(log.depth())

    @contextmanager
    def opened_log(self) -> Iterator[Any]:
        """Open the log that the collector fills, as it lies now: its files come and go with the collector's."""
        from catchment.collect.log import open_log

        log = open_log(self.settings.collect, self.folder)
        try:
            yield log
        finally:
            log.close()

    def damage(self) -> list[str]:
        """Tell what storage has spoiled of the log, and where the rest of it lies."""
        with self.opened_log() as log:
            found: list[str] = log.damage()
        return found

    @cached_property
    def pipeline(self) -> Any:
        """Adapters, schemas and enrichments, opened once."""
        from catchment.enrich.pipeline import open_pipeline

        return open_pipeline(self.settings.enrich, self.resolver, self.folder)

    @cached_property
    def workers(self) -> Any:
        """The processes that enrich side by side where `enrich.processes` asks for more than one."""
        from catchment.enrich.workers import Workers

        return Workers(self.settings.enrich, self.settings.schemas, self.folder)

    def drain(self) -> Drained:
        """Enrich slice by slice what waits now; who calls has the verb `enrich` to himself.

        What arrives meanwhile is left for the next call, so that a steady stream keeps nobody here for ever.
        """
        with self.opened_log() as log:
            waiting = int(log.depth())
            if waiting:
                self.resolver.reread()
            return self._drain(log, waiting)

    def _drain(self, log: Any, waiting: int) -> Drained:
        from catchment.lake.batch import commit_batch

        total, suppression = Drained(), self.suppression()  # type: ignore[attr-defined]
        for part, payloads, done in self._enriched(log, waiting):
            outcome = suppression.apply(done.events, done.failed)
            commit_batch(self.lake, part.log_id, payloads, outcome)
            part.remove_through(payloads[OFFSET][-1].as_py())
            total = Drained(
                payloads=total.payloads + payloads.num_rows,
                received=total.received + done.received,
                events=total.events + outcome.events.num_rows,
                failed=total.failed + outcome.failed.num_rows,
                suppressed=total.suppressed + len(outcome.suppressed),
            )
            if total.payloads < waiting:
                self.progress("payloads become events", total.payloads, waiting)
        self.progress("payloads become events", total.payloads, total.payloads)
        return total

    def _enriched(self, log: Any, waiting: int) -> Iterator[tuple[Any, pa.Table, Any]]:
        """Give each slice with what became of it, in the order of the log."""
        if self.settings.enrich.processes > 1:
            yield from self.workers.enrich(self._slices(log, waiting), self.clock)
            return
        for part, payloads in self._slices(log, waiting):
            yield part, payloads, self.pipeline.enrich(payloads, self.clock())

    def _slices(self, log: Any, waiting: int) -> Iterator[tuple[Any, pa.Table]]:
        """Give each part of the log slice by slice, from where the lake itself says that it is."""
        for part in log.parts():
            after, left = self.lake.committed(BATCHES.name, part.log_id), waiting
            part.remove_through(after)
            while left > 0 and (payloads := part.read(after, min(left, self.settings.enrich.batch_payloads))).num_rows:
                yield part, payloads
                after = payloads[OFFSET][-1].as_py()
                left -= payloads.num_rows
            part.read(after, 1)  # a look behind the last that could be counted finds what a disk has spoiled
