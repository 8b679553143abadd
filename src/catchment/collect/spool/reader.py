"""The reading end of a lane: payloads in order, spoiled files set aside, done ones removed."""

import sqlite3
import threading
from itertools import pairwise
from pathlib import Path

import pyarrow as pa

from catchment.collect.record import decode_records, is_intact
from catchment.collect.spool.lane import Lane
from catchment.collect.spool.salvage import highest_committed_offset
from catchment.collect.spool.segment import READ, Segment, list_segments, open_to_read
from catchment.collect.spool.setaside import set_aside
from catchment.collect.spool.writer import unusable

READ_BYTES = 64 * 1024 * 1024


class _Spoiled(Exception):
    """A segment holds something else than what was written."""


class LaneReader:
    """One lane as a part of the log."""

    def __init__(self, folder: Path, log_id: str) -> None:
        self.folder = folder
        self.lane = Lane(folder, log_id)
        self._open: tuple[Segment, sqlite3.Connection] | None = None
        self._alone = threading.Lock()

    @property
    def log_id(self) -> str:
        """Name the lane."""
        return self.lane.log_id

    def read(self, after: int, limit: int) -> pa.Table:
        """Give payloads with offset > after in order, at most `limit` and about READ_BYTES."""
        with self._alone:
            try:
                rows = self._read(max(after, self.lane.done()), limit)
                if not rows:
                    # A file that is held open gives no disk back when whoever appends removes it.
                    self._let_go()
                return decode_records(rows)
            except (sqlite3.Error, OSError) as error:
                self._let_go()
                raise unusable(self.folder, error) from error

    def remove_through(self, offset: int) -> None:
        """Remove every file of which nothing is needed any more."""
        with self._alone:
            try:
                self._remove_through(offset)
            except (sqlite3.Error, OSError) as error:
                self._let_go()
                raise unusable(self.folder, error) from error

    def depth(self) -> int:
        """Count the offsets that wait: the payloads, and the few offsets that a fault left empty."""
        segments = self._segments()
        if not segments:
            return 0
        with self._alone:
            try:
                last = self._last_offset(segments[-1])
            except (sqlite3.Error, OSError) as error:
                self._let_go()
                raise unusable(self.folder, error) from error
        return max(0, last - max(self.lane.done(), segments[0].first - 1))

    def close(self) -> None:
        """Let go of the file that was read last."""
        with self._alone:
            self._let_go()

    def _segments(self) -> list[Segment]:
        return list_segments(self.folder).get(self.log_id, [])

    def _read(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        rows: list[tuple[int, bytes]] = []
        segments = self._segments()
        for at, segment in enumerate(segments):
            following = segments[at + 1] if at + 1 < len(segments) else None
            if following is not None and following.first <= after + 1:
                continue
            try:
                is_full = self._read_segment(segment, after, limit, rows)
                if not is_full:
                    self._require_nothing_hidden(segment, following, rows[-1][0] if rows else after)
            except _Spoiled as spoiled:
                # What stands before the spoiled place goes first; the rest is read again after it.
                if not rows and self._set_aside(segment, following, spoiled):
                    return self._read(after, limit)
                break
            if is_full:
                break
        return rows

    def _read_segment(self, segment: Segment, after: int, limit: int, rows: list[tuple[int, bytes]]) -> bool:
        """Add its rows, and say whether there may be more than fit."""
        size = sum(len(record) for _, record in rows)
        try:
            for offset, record in self._connect(segment).execute(READ, (after, limit - len(rows))):
                if not is_intact(record):
                    raise _Spoiled(f"the payload at offset {offset} is not what was written")
                rows.append((offset, record))
                size += len(record)
                if size > READ_BYTES:
                    return True
        except sqlite3.DatabaseError as error:
            # Whoever appends gives back its own file where it is done with.
            if not segment.path.exists():
                return False
            if not _is_spoiled(error):
                raise
            raise _Spoiled(str(error)) from error
        return len(rows) >= limit

    def _require_nothing_hidden(self, segment: Segment, following: Segment | None, last: int) -> None:
        """Look for what stands behind a spoiled page of the wal: SQLite stops there as if it were the end."""
        if following is not None and following.first == last + 1:
            return
        if following is None and not self._is_free():
            return
        hidden = highest_committed_offset(segment)
        if hidden > last:
            raise _Spoiled(f"payloads up to offset {hidden} stand behind a spoiled page")

    def _is_free(self) -> bool:
        with self.lane.locked() as is_ours:
            return is_ours

    def _set_aside(self, segment: Segment, following: Segment | None, spoiled: _Spoiled) -> bool:
        """Put what can be read in its place; of a file that is being written, ask for a new one first."""
        self._let_go()
        if following is not None:
            set_aside(segment, str(spoiled), until=following.first)
            return True
        with self.lane.locked() as is_ours:
            if is_ours:
                set_aside(segment, str(spoiled), until=None)
            else:
                self.lane.ask_for_roll()
        return is_ours

    def _remove_through(self, offset: int) -> None:
        done = self.lane.done()
        if offset > done:
            done = offset
            self.lane.finish_through(done)
        segments = self._segments()
        for segment, following in pairwise(segments):
            if following.first <= done + 1 or self._is_done(segment, done):
                self._remove(segment)
        if segments and segments[-1].first <= done:
            self._remove_last(segments[-1], done)
            self._let_go()

    def _remove_last(self, segment: Segment, done: int) -> None:
        """Remove the last file too where nobody appends; from then on only `done` tells which offsets were given."""
        with self.lane.locked() as is_ours:
            if is_ours and self._is_done(segment, done):
                self.lane.finish_through(done, is_synced=True)
                self._remove(segment)

    def _is_done(self, segment: Segment, done: int) -> bool:
        """Say whether nothing later stands in it, not even behind a spoiled page."""
        return self._last_offset(segment) <= done and highest_committed_offset(segment) <= done

    def _remove(self, segment: Segment) -> None:
        if self._open is not None and self._open[0] == segment:
            self._let_go()
        segment.remove()

    def _last_offset(self, segment: Segment) -> int:
        try:
            found = self._connect(segment).execute("select max(_offset) from payloads").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if not segment.path.exists():
                return segment.first - 1
            if not _is_spoiled(error):
                raise
            return segment.first + segment.size_bytes()
        return segment.first - 1 if found is None else int(found)

    def _connect(self, segment: Segment) -> sqlite3.Connection:
        if self._open is None or self._open[0] != segment:
            self._let_go()
            self._open = segment, open_to_read(segment)
        return self._open[1]

    def _let_go(self) -> None:
        if self._open is not None:
            self._open[1].close()
        self._open = None


def _is_spoiled(error: sqlite3.DatabaseError) -> bool:
    """Tell a file that is not what was written from one that is busy, full or out of reach."""
    return not isinstance(error, sqlite3.OperationalError) or "no such table" in str(error)
