"""What a lane has beside its segments: a lock of the process that appends, and how far its payloads are done with."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

DONE_SUFFIX = ".done"


def list_lanes(folder: Path) -> list[str]:
    """Give the log ids of all lanes that ever were, also of those whose files are all removed."""
    return sorted(path.stem for path in folder.glob(f"*{DONE_SUFFIX}"))


class Lane:
    """The small files of one lane, by its log id."""

    def __init__(self, folder: Path, log_id: str) -> None:
        self.folder = folder
        self.log_id = log_id
        self._done = folder / f"{log_id}{DONE_SUFFIX}"
        self._lock = folder / f"{log_id}.lock"
        self._roll = folder / f"{log_id}.roll"

    def done(self) -> int:
        """Give the offset up to which the lake holds everything, 0 where none was ever told."""
        try:
            return int(self._done.read_text() or 0)
        except FileNotFoundError:
            return 0

    def finish_through(self, offset: int, *, is_synced: bool = False) -> None:
        """Remember that offset, in place, so that a full disk is no hindrance to emptying it.

        Not synced where the payloads are still there: what is forgotten in a crash is told again by the lake.
        """
        descriptor = os.open(self._done, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(descriptor, b"%020d" % offset, 0)
            if is_synced:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def try_lock(self) -> IO[bytes] | None:
        """Take the lane to append, until the file is closed or the process ends; None where somebody has it."""
        file = self._lock.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        return file

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lane while the block lasts, if nobody else has it: gives whether."""
        file = self.try_lock()
        try:
            yield file is not None
        finally:
            if file is not None:
                file.close()

    def ask_for_roll(self) -> None:
        """Ask whoever appends to begin a new segment, so that the last one can be set aside."""
        self._roll.touch()

    def is_roll_asked(self) -> bool:
        """Say whether a reader waits for a new segment."""
        return os.path.exists(self._roll)  # noqa: PTH110 - asked for each group, and four times as fast

    def answer_roll(self) -> None:
        """Say that the new segment stands."""
        self._roll.unlink(missing_ok=True)
