"""What follows from events, now and then and beside the loop that takes them in: builds, scores, audiences, syncs."""

import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError


class FollowUp:
    """Has `Project.follow_up` done in a process of its own, so that events never wait for a model."""

    def __init__(self, folder: Path, every_minutes: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.every_s = every_minutes * 60
        self.clock = clock
        self._due_at = clock() + self.every_s
        self._child: Any = None

    def look(self) -> None:
        """Start one where it is due and none is at work; what it says, it says itself."""
        if not self.every_s or self.clock() < self._due_at or self.is_at_work:
            return
        self._due_at = self.clock() + self.every_s
        self._child = multiprocessing.get_context("spawn").Process(target=_follow_up, args=(self.folder,))
        self._child.start()

    @property
    def is_at_work(self) -> bool:
        """Say whether one runs now."""
        return self._child is not None and self._child.is_alive()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait for the one at work; gives its exit code, None where it goes on."""
        if self._child is None:
            return None
        self._child.join(timeout_s)
        code: int | None = self._child.exitcode
        return code

    def stop(self) -> None:
        """End the one at work; the next goes on where it stopped."""
        if self.is_at_work:
            self._child.terminate()
            self._child.join(timeout=30)


def _follow_up(folder: Path) -> None:
    from catchment.project.project import Project

    try:
        Project.open(folder).follow_up()
    except CatchmentError as error:
        print(f"catchment run: {error} {error.hint}", file=sys.stderr)
        raise SystemExit(1) from None
