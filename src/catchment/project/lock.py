"""One process does one verb of a project at a time; a second one waits a little, then is told who has it."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from catchment.errors import CatchmentError, ProjectBusy

FOLDER = ".catchment/locks"
WAIT_S = 10.0
VERBS = (
    *("build", "enrich", "forget", "import", "ingest", "match", "measure", "refresh", "replay"),
    *("score", "sync", "train", "upkeep"),
)
"""In the order in which they are taken by what needs them all, so that no two wait for each other."""


@contextmanager
def holding(folder: Path, *verbs: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Have these verbs of the project in `folder` to oneself; raises ProjectBusy naming who has one.

    The operating system lets go of a lock with its process, so one that was killed is in nobody's way.
    """
    with ExitStack() as stack:
        for verb in sorted(verbs):
            stack.enter_context(_holding(folder / FOLDER / f"{verb}.lock", verb, wait_s))
        yield


@contextmanager
def _holding(path: Path, verb: str, wait_s: float) -> Iterator[None]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise CatchmentError(f"{path} cannot be written: {error.strerror}.", hint=f"chmod u+w {path.parent}") from error
    with file:
        deadline = time.monotonic() + wait_s
        while not _is_taken(file):
            if time.monotonic() > deadline:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise ProjectBusy(
                    f"{holder} is at '{verb}' in this project.",
                    hint="Wait until it has ended, or stop it; nothing is lost and the same call goes on.",
                )
            time.sleep(0.05)
        file.truncate(0)
        file.write(f"Process {os.getpid()} (since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)")
        file.flush()
        yield
        file.truncate(0)


def _is_taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
