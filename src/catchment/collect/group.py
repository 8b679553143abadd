"""Group commit: all payloads that arrive while one write lasts are made durable together by the next.

The event loop only puts bytes in a list and waits; one thread writes, and wakes the loop once for a whole group.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from functools import partial
from typing import Protocol

from catchment.collect.log import LogUnavailable
from catchment.observe import log as facts

OVERHEAD_BYTES = 1024
"""Counted for each payload that waits, beside its bytes: its future and the request that waits on it."""
REST_S = 1.0


class Writer(Protocol):
    """What makes a group durable; called from one thread only."""

    def commit(self, records: list[bytes]) -> None:
        """Return when the records are durable, or, given none, when a real write was; raises LogUnavailable."""
        ...

    def rest(self) -> None:
        """Do what is due while nothing arrives; called about once a second."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class _Group:
    __slots__ = ("began", "expiry", "futures", "is_taken", "loop", "records", "size")

    def __init__(self, loop: asyncio.AbstractEventLoop, began: float) -> None:
        self.loop = loop
        self.began = began
        self.records: list[bytes] = []
        self.futures: list[asyncio.Future[None]] = []
        self.size = 0
        self.is_taken = False
        self.expiry: asyncio.TimerHandle | None = None

    def settle(self, fault: LogUnavailable | None) -> None:
        if self.expiry is not None:
            self.expiry.cancel()
        for future in self.futures:
            if future.done():
                continue
            if fault is None:
                future.set_result(None)
            else:
                future.set_exception(LogUnavailable(str(fault), hint=fault.hint))


class GroupCommit:
    """A queue bounded in bytes and in time before one writer."""

    def __init__(self, writer: Writer, place: str, *, timeout_s: float, max_waiting_bytes: int) -> None:
        self.writer = writer
        self.place = place
        self.timeout_s = timeout_s
        self.max_waiting_bytes = max_waiting_bytes
        self._changed = threading.Condition()
        self._groups: deque[_Group] = deque()
        self._waiting_bytes = 0
        self._busy_since: float | None = None
        self._closing = False
        self._thread: threading.Thread | None = None

    def enter(self, record: bytes | None) -> "asyncio.Future[None]":
        """Give the future of a record's durability, or of a probe's; raises LogUnavailable at once where it is full."""
        size = OVERHEAD_BYTES + (0 if record is None else len(record))
        loop = asyncio.get_running_loop()
        now = time.monotonic()
        future = loop.create_future()
        with self._changed:
            busy_since = self._busy_since
            if busy_since is not None and now - busy_since > self.timeout_s:
                raise self._stalled()
            if self._waiting_bytes + size > self.max_waiting_bytes:
                raise LogUnavailable(
                    f"{self.place} writes slower than payloads arrive.",
                    hint="Use a faster disk, or raise collect.log.max_waiting_bytes.",
                )
            group = self._groups[-1] if self._groups else None
            # A young group only: its members share one deadline.
            if group is None or group.loop is not loop or now - group.began > self.timeout_s / 4:
                group = self._begin(loop, now)
            if record is not None:
                group.records.append(record)
            group.futures.append(future)
            group.size += size
            self._waiting_bytes += size
        return future

    def close(self) -> None:
        """Write what waits and end the thread; a write that never returns is left behind after the timeout."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is None:
            self.writer.close()
            return
        self._thread.join(timeout=2 * self.timeout_s)
        if self._thread.is_alive():
            facts.error("%s did not finish its last write; what it held was not answered with 200", self.place)

    def _begin(self, loop: asyncio.AbstractEventLoop, now: float) -> _Group:
        group = _Group(loop, now)
        group.expiry = loop.call_later(self.timeout_s, self._expire, group)
        self._groups.append(group)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_groups, name="log writer", daemon=True)
            self._thread.start()
        self._changed.notify()
        return group

    def _expire(self, group: _Group) -> None:
        with self._changed:
            if not group.is_taken:
                self._groups.remove(group)
                self._waiting_bytes -= group.size
        group.settle(self._stalled())

    def _stalled(self) -> LogUnavailable:
        return LogUnavailable(
            f"{self.place} did not commit within {self.timeout_s} s.",
            hint="See whether the disk is busy or another program holds the file.",
        )

    def _write_groups(self) -> None:
        while True:
            groups = self._take()
            if groups:
                self._write(groups)
            elif self._closing:
                break
            else:
                self.writer.rest()
        self.writer.close()

    def _take(self) -> list[_Group]:
        with self._changed:
            self._changed.wait_for(lambda: self._groups or self._closing, timeout=REST_S)
            groups = list(self._groups)
            self._groups.clear()
            for group in groups:
                group.is_taken = True
            self._busy_since = time.monotonic() if groups else None
        return groups

    def _write(self, groups: list[_Group]) -> None:
        fault = None
        try:
            self.writer.commit([record for group in groups for record in group.records])
        except LogUnavailable as error:
            fault = error
        except Exception as error:
            # Nobody else would tell those who wait, and the thread must outlive it.
            facts.exception("%s failed in a way that was not foreseen", self.place)
            fault = LogUnavailable(f"{self.place} failed: {error!r}.", hint="The collector's log has the traceback.")
        with self._changed:
            self._busy_since = None
            self._waiting_bytes -= sum(group.size for group in groups)
        for group in groups:
            # A loop that has closed has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                group.loop.call_soon_threadsafe(partial(group.settle, fault))
