"""One timer for every piece of work: a log line, and a row for the `runs` table."""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger("catchment")

Progress = Callable[[str, int, int], None]
"""Told, while long work lasts, what it is, how much is done and of how much; done = total when it ends."""


def say_nothing(what: str, done: int, total: int) -> None:
    """Take note of progress that nobody watches."""


@dataclass
class Run:
    """One execution of one verb, while it lasts; `counts` is what the verb wants remembered."""

    verb: str
    name: str = ""
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    counts: dict[str, Any] = field(default_factory=dict)

    def row(self, *, status: str, error: str) -> dict[str, Any]:
        """Give the row of `runs` that this execution becomes."""
        return {
            "run_id": self.run_id,
            "verb": self.verb,
            "name": self.name,
            "started_at": self.started_at,
            "finished_at": datetime.now(UTC),
            "status": status,
            "counts": json.dumps(self.counts, default=str),
            "error": error,
        }

    @staticmethod
    def read_counts(row: dict[str, Any]) -> dict[str, Any]:
        """Give back the counts of a row of `runs`."""
        counts: dict[str, Any] = json.loads(row["counts"])
        return counts


@contextmanager
def timed(verb: str, name: str = "", *, record: Callable[[dict[str, Any]], None] | None = None) -> Iterator[Run]:
    """Time a verb, log it in one line, and hand its row to `record` whether it ended well or not."""
    run = Run(verb, name)
    began = time.monotonic()
    status, error = "ok", ""
    try:
        yield run
    except BaseException as raised:
        status, error = ("stopped" if isinstance(raised, KeyboardInterrupt) else "failed"), str(raised)
        raise
    finally:
        fields = " ".join(f"{key}={value}" for key, value in run.counts.items())
        log.info("%s %s %s %.1fs %s", verb, name, status, time.monotonic() - began, fields)
        if record is not None:
            record(run.row(status=status, error=error))
