"""The loop that keeps the lake current: enrich what arrives, look after the lake when that is due."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from catchment.observe import Run
from catchment.project.lock import holding
from catchment.tables import RUNS

UPKEEP_COMMITS = 100
"""A commit costs more the more files a table has, so they are joined after so many turns, however recent the last."""

REMEMBER_EVERY_S = 60.0
"""Rows of `runs` are written so often: one for each look at the log would be more rows than news."""


@dataclass
class Loop:
    """One look after another at what came; each may raise, and the next goes on where it stopped."""

    project: Any
    clock: Callable[[], float] = time.monotonic
    _upkeep_at: float = 0.0
    _commits: int = 0
    _run: Run = field(default_factory=lambda: Run("enrich"))
    _remember_at: float = 0.0

    def turn(self) -> None:
        """Look once; raises what storage or registry say, with everything still in the log for the next turn."""
        with holding(self.project.folder, "enrich"):
            drained = self.project.drain()
        self._count(vars(drained))
        self._commits += drained.payloads > 0
        self._remember()
        are_many = self._commits >= UPKEEP_COMMITS
        if are_many or self.clock() >= self._upkeep_at:
            self._upkeep_at = self.clock() + self.project.settings.lake.upkeep.every_minutes * 60
            if are_many or self.project.is_upkeep_due():
                self._commits = 0
                self.project.upkeep()

    def _count(self, drained: dict[str, int]) -> None:
        for name, number in drained.items():
            self._run.counts[name] = self._run.counts.get(name, 0) + number

    def _remember(self) -> None:
        if not self._run.counts.get("payloads") or self.clock() < self._remember_at:
            return
        row = self._run.row(status="ok", error="")
        self.project.lake.append(RUNS.name, pa.Table.from_pylist([row], RUNS.schema))
        self._run, self._remember_at = Run("enrich"), self.clock() + REMEMBER_EVERY_S
