"""One process runs one sync at a time; another is told at once, because it would send the same rows."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from catchment.errors import SyncBusy

FOLDER = ".catchment/locks"
ALL = "sync.lock"
"""Shared by all syncs, so that whoever needs quiet can hold it alone."""


@contextmanager
def turn(folder: Path, sync: str) -> Iterator[None]:
    """Have a sync of the project in `folder` to oneself; raises SyncBusy where another process, or thread, has it.

    The operating system lets go of a lock with its process, so one that was killed is in nobody's way.
    """
    place = folder / FOLDER
    place.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        everybody = stack.enter_context((place / ALL).open("a+"))
        mine = stack.enter_context((place / f"sync-{sync}.lock").open("a+"))
        if not _take(everybody, fcntl.LOCK_SH):
            raise SyncBusy(
                "Another verb needs the destinations to itself.", hint="Wait until it has ended; nothing is lost."
            )
        if not _take(mine, fcntl.LOCK_EX):
            mine.seek(0)
            raise SyncBusy(
                f"The sync '{sync}' is being run by process {mine.read().strip() or 'unknown'}.",
                hint="Wait until it has ended, or stop it; nothing is lost and the next run goes on.",
            )
        mine.truncate(0)
        mine.write(str(os.getpid()))
        mine.flush()
        yield
        mine.truncate(0)


def _take(file: IO[str], how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
