"""What every verb of an open project stands on: its folder, settings, lake, engine and record of runs."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from catchment.errors import DefinitionError, LakeError
from catchment.lake.engine import Engine, open_engine
from catchment.lake.lake import Lake
from catchment.observe import Progress, Run, say_nothing, timed
from catchment.project.lock import holding
from catchment.schema.resolver import Resolver, open_resolver
from catchment.settings import Settings
from catchment.tables import RUNS


class Opened:
    """A project's folder and settings, and what they open; `progress` is told how far long work is."""

    def __init__(self, folder: Path, settings: Settings, *, clock: Callable[[], datetime] | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.clock = clock or (lambda: datetime.now(UTC))
        self.progress: Progress = say_nothing

    @cached_property
    def lake(self) -> Lake:
        """The project's lake; raises LakeError where it cannot be written."""
        return Lake.open(self.settings.lake, self.folder)

    @cached_property
    def engine(self) -> Engine:
        """The engine that queries the lake."""
        return open_engine(self.settings.lake, self.folder)

    @cached_property
    def resolver(self) -> Resolver:
        """The schema registries; what they answered is remembered for as long as the project is open."""
        return open_resolver(self.settings.schemas, self.folder)

    @property
    def collector_url(self) -> str:
        """Give the address that trackers of this machine are pointed at."""
        return f"http://{self.settings.collect.host}:{self.settings.collect.port}"

    @contextmanager
    def sandbox(self) -> Iterator[None]:
        """Have the sandbox answer while the block lasts, where this project uses it; one that runs is left alone."""
        from catchment.listen import is_listening, running
        from catchment.sandbox.server import serve_sandbox

        place = self.settings.sandbox
        if not place.enabled or is_listening(place.host, place.port):
            yield
            return
        health = f"http://{place.host}:{place.port}/health"
        with running(serve_sandbox, place, self.folder, health_url=health, name="sandbox"):
            yield

    @contextmanager
    def timed(self, verb: str, name: str = "") -> Iterator[Run]:
        """Have the verb to oneself, and leave a row of `runs`; raises ProjectBusy where another process is at it."""
        with holding(self.folder, verb), timed(verb, name, record=self._record) as run:
            yield run

    def _record(self, row: dict[str, Any]) -> None:
        try:
            self.lake.append("runs", pa.Table.from_pylist([row], RUNS.schema))
        except LakeError:
            # What went wrong before says more than that its row cannot be written either.
            if row["status"] == "ok":
                raise

    def last_ok(self, verb: str, name: str = "") -> dict[str, Any] | None:
        """Give the counts of the last run of a verb that ended well, None without one."""
        filters = [("verb", "=", verb), ("name", "=", name), ("status", "=", "ok")]
        rows = self.lake.read("runs", filters=filters).sort_by("started_at").to_pylist()
        return Run.read_counts(rows[-1]) if rows else None

    def count(self, table: str) -> int:
        """Count the rows of a table; one never written has none."""
        return self.lake.count(table)


def named(definitions: list[Any], name: str | None, noun: str) -> list[Any]:
    """Give all definitions, or only the one of that name; raises DefinitionError naming those there are."""
    chosen = [definition for definition in definitions if name in (None, definition.name)]
    if name is not None and not chosen:
        names = ", ".join(definition.name for definition in definitions) or "none"
        raise DefinitionError(f"There is no {noun} '{name}'.", hint=f"There are: {names}.")
    return chosen


def digest(definition: Any) -> str:
    """Give a short mark of a definition, which changes whenever the definition does."""
    return hashlib.sha256(repr(definition).encode()).hexdigest()[:16]
