"""The writing end of a lane: takes it, appends groups, and begins a new segment when the last is large or old."""

import contextlib
import os
import sqlite3
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from catchment.collect.log import LogUnavailable
from catchment.collect.spool.lane import Lane, list_lanes
from catchment.collect.spool.salvage import highest_committed_offset
from catchment.collect.spool.segment import (
    Segment,
    append_records,
    create_segment,
    finish_segment,
    highest_offset,
    list_segments,
    prove_writable,
)
from catchment.observe import log as facts


@dataclass(frozen=True)
class Limits:
    """When a segment ends, how much disk is left alone, and how long another program may hold a file."""

    roll_bytes: int
    roll_s: float
    keep_free_bytes: int
    busy_s: float


class LaneWriter:
    """Appends to one lane; whatever the disk does, an offset is never given twice."""

    def __init__(self, folder: Path, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self.limits = limits
        self.clock = clock
        self._lane: Lane | None = None
        self._lock: IO[bytes] | None = None
        self._next = 1
        self._kept = 0
        self._segment: Segment | None = None
        self._wal = ""
        self._connection: sqlite3.Connection | None = None
        self._began = 0.0

    def commit(self, records: list[bytes]) -> None:
        """Make the records durable in one transaction; raises LogUnavailable."""
        try:
            connection = self._ready(sum(map(len, records)))
            first = self._next
            # Counted before: a group that fails may be found in the file all the same, under these offsets.
            self._next += len(records)
            if records:
                append_records(connection, first, records)
                self._kept = self._next - 1
            else:
                prove_writable(connection)
        except (sqlite3.Error, OSError) as error:
            self._abandon()
            raise unusable(self.folder, error) from error

    def rest(self) -> None:
        """End a segment that is old enough, so that the disk is given back though nothing arrives."""
        if self._connection is None or not self._is_roll_due(self._wal_bytes() or 0):
            return
        try:
            self._begin()
        except (sqlite3.Error, OSError) as error:
            self._abandon()
            facts.error("spool %s could not begin a new file: %s", self.folder, error)

    def close(self) -> None:
        """Let go of the files and of the lane."""
        self._finish()
        if self._lock is not None:
            self._lock.close()
        self._lock = self._lane = None

    def _ready(self, size: int) -> sqlite3.Connection:
        # Each look at the disk lets go of the interpreter, and waits for it again: no more of them than there must be.
        held = self._wal_bytes()
        if self._segment is not None and held is None:
            facts.error("spool file %s was removed by another program; beginning a new one", self._segment.path)
            self._abandon()
            self.close()
        if self._segment is None:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        is_due = self._is_roll_due(held or 0)
        free = _free_bytes(self.folder)
        is_short = free < self.limits.keep_free_bytes + size
        if (is_short or is_due) and self._give_back_what_is_done():
            free = _free_bytes(self.folder)
            is_short = free < self.limits.keep_free_bytes + size
        if is_short:
            raise LogUnavailable(
                f"The disk of the spool {self.folder} has {free // 1_000_000} MB left; "
                f"{self.limits.keep_free_bytes // 1_000_000} MB are kept free.",
                hint="Free some space, let `catchment enrich` empty the spool, or lower collect.log.keep_free_bytes.",
            )
        if self._connection is None or is_due:
            return self._begin()
        return self._connection

    def _give_back_what_is_done(self) -> bool:
        """Remove the own files where all is committed: a full disk may have no room for the next beside them."""
        lane = self._lane
        if lane is None or self._next == 1 or lane.done() < self._kept:
            return False
        lane.finish_through(self._next - 1, is_synced=True)
        self._finish()
        for segment in list_segments(self.folder).get(lane.log_id, []):
            segment.remove()
        return True

    def _wal_bytes(self) -> int | None:
        """Give the size of what was appended, None where the file is gone."""
        try:
            return os.stat(self._wal).st_size  # noqa: PTH116 - asked for each group
        except FileNotFoundError:
            return None

    def _is_roll_due(self, held: int) -> bool:
        if self._segment is None or self._lane is None:
            return True
        if self._lane.is_roll_asked():
            return True
        if self._next == self._segment.first:
            return False
        return held > self.limits.roll_bytes or self.clock() - self._began > self.limits.roll_s

    def _begin(self) -> sqlite3.Connection:
        lane = self._lane or self._take_lane()
        # One that is empty is made anew under its own name; nothing of it is missed.
        self._finish()
        segment = Segment(lane.log_id, self._next, self.folder)
        self._connection = create_segment(segment, self.limits.busy_s)
        self._segment = segment
        self._wal = str(segment.wal)
        self._began = self.clock()
        lane.answer_roll()
        return self._connection

    def _take_lane(self) -> Lane:
        lanes = list_segments(self.folder)
        for log_id in [*sorted({*lanes, *list_lanes(self.folder)}), uuid.uuid4().hex]:
            lane = Lane(self.folder, log_id)
            self._lock = lane.try_lock()
            if self._lock is not None:
                break
        segments = lanes.get(lane.log_id, [])
        last = _last_offset(segments[-1]) if segments else 0
        done = lane.done()
        self._kept = max(last, done)
        self._next = 1 + self._kept
        # Made now, while there is room for it.
        lane.finish_through(done)
        self._lane = lane
        return lane

    def _finish(self) -> None:
        if self._connection is not None and self._segment is not None:
            finish_segment(self._connection, self._segment)
        self._connection = self._segment = None

    def _abandon(self) -> None:
        """Trust the file no more: the next group begins a new one, so that a mended disk is found without a restart."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection = self._segment = None


def unusable(folder: Path, error: Exception) -> LogUnavailable:
    """Say that the spool cannot be used, and where to look."""
    return LogUnavailable(
        f"The spool {folder} cannot be used: {error}.",
        hint=f"Check permissions and free space of {folder}, or set collect.log.folder in catchment.yml.",
    )


def _free_bytes(folder: Path) -> int:
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def _last_offset(segment: Segment) -> int:
    """Give the last offset that may stand in a segment: of one that cannot be read, one that it cannot reach."""
    try:
        return max(highest_offset(segment), highest_committed_offset(segment))
    except sqlite3.Error:
        # No record is smaller than a byte.
        return segment.first + segment.size_bytes()
