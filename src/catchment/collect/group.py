"""Group commit: all payloads that arrive while one write lasts are made durable together by the next.

The event loop gathers a group by itself and hands it over whole, once it has woken those of the group before; one
thread writes. So the two threads meet twice for each group, however many payloads are in it.
"""

import asyncio
import contextlib
import threading
import time
from functools import partial
from queue import Empty, SimpleQueue
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
    __slots__ = ("began", "expiry", "futures", "is_expired", "is_taken", "records", "size")

    def __init__(self, began: float) -> None:
        self.began = began
        self.records: list[bytes] = []
        self.futures: list[asyncio.Future[None]] = []
        self.size = 0
        self.is_taken = False
        self.is_expired = False
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


class _Gate:
    """What one event loop gathers; only that loop touches it, but for the last look of `close`."""

    __slots__ = ("group", "loop", "unsettled")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.group: _Group | None = None
        self.unsettled = 0


class GroupCommit:
    """A queue bounded in bytes and in time before one writer."""

    def __init__(self, writer: Writer, place: str, *, timeout_s: float, max_waiting_bytes: int) -> None:
        self.writer = writer
        self.place = place
        self.timeout_s = timeout_s
        self.max_waiting_bytes = max_waiting_bytes
        self._gates: dict[asyncio.AbstractEventLoop, _Gate] = {}
        self._handed: SimpleQueue[tuple[_Gate, _Group] | None] = SimpleQueue()
        self._counting = threading.Lock()
        self._waiting_bytes = 0
        self._busy_since: float | None = None
        self._thread: threading.Thread | None = None

    def enter(self, record: bytes | None) -> "asyncio.Future[None]":
        """Give the future of a record's durability, or of a probe's; raises LogUnavailable at once where it is full."""
        size = OVERHEAD_BYTES + (0 if record is None else len(record))
        loop = asyncio.get_running_loop()
        gate = self._gates.get(loop) or self._open_gate(loop)
        now = time.monotonic()
        busy_since = self._busy_since
        if busy_since is not None and now - busy_since > self.timeout_s:
            raise self._stalled()
        with self._counting:
            if self._waiting_bytes + size > self.max_waiting_bytes:
                raise LogUnavailable(
                    f"{self.place} writes slower than payloads arrive.",
                    hint="Use a faster disk, or raise collect.log.max_waiting_bytes.",
                )
            self._waiting_bytes += size
        group = gate.group
        # A young group only: its members share one deadline.
        if group is None or now - group.began > self.timeout_s / 4:
            group = self._begin(gate, now)
        future = loop.create_future()
        if record is not None:
            group.records.append(record)
        group.futures.append(future)
        group.size += size
        return future

    def close(self) -> None:
        """Write what waits and end the thread; a write that never returns is left behind after the timeout."""
        if self._thread is None:
            self.writer.close()
            return
        for gate in self._gates.values():
            self._hand_over(gate)
        self._handed.put(None)
        self._thread.join(timeout=2 * self.timeout_s)
        if self._thread.is_alive():
            facts.error("%s did not finish its last write; what it held was not answered with 200", self.place)

    def _open_gate(self, loop: asyncio.AbstractEventLoop) -> _Gate:
        with self._counting:
            self._gates = {known: gate for known, gate in self._gates.items() if gate.group or not known.is_closed()}
            gate = self._gates[loop] = _Gate(loop)
            if self._thread is None:
                self._thread = threading.Thread(target=self._write_groups, name="log writer", daemon=True)
                self._thread.start()
        return gate

    def _begin(self, gate: _Gate, now: float) -> _Group:
        self._hand_over(gate)
        group = gate.group = _Group(now)
        group.expiry = gate.loop.call_later(self.timeout_s, self._expire, gate, group)
        if not gate.unsettled:
            # With all others of this turn of the loop.
            gate.loop.call_soon(self._hand_over, gate)
        return group

    def _hand_over(self, gate: _Gate) -> None:
        group, gate.group = gate.group, None
        if group is not None:
            gate.unsettled += 1
            self._handed.put((gate, group))

    def _settle(self, gate: _Gate, group: _Group, fault: LogUnavailable | None) -> None:
        gate.unsettled -= 1
        group.settle(fault)
        if not gate.unsettled:
            self._hand_over(gate)

    def _expire(self, gate: _Gate, group: _Group) -> None:
        if gate.group is group:
            gate.group = None
        with self._counting:
            if not group.is_taken:
                group.is_expired = True
                self._waiting_bytes -= group.size
        group.settle(self._stalled())

    def _stalled(self) -> LogUnavailable:
        return LogUnavailable(
            f"{self.place} did not commit within {self.timeout_s} s.",
            hint="See whether the disk is busy or another program holds the file.",
        )

    def _write_groups(self) -> None:
        is_closing = False
        while not is_closing:
            try:
                handed = [self._handed.get(timeout=REST_S)]
                while not self._handed.empty():
                    handed.append(self._handed.get())
            except Empty:
                self.writer.rest()
                continue
            is_closing = None in handed
            self._write([each for each in handed if each is not None])
        self.writer.close()

    def _write(self, handed: list[tuple[_Gate, _Group]]) -> None:
        with self._counting:
            groups = [group for _, group in handed if not group.is_expired]
            for group in groups:
                group.is_taken = True
        fault = self._commit([record for group in groups for record in group.records]) if groups else None
        with self._counting:
            self._waiting_bytes -= sum(group.size for group in groups)
        for gate, group in handed:
            # A loop that has closed has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                gate.loop.call_soon_threadsafe(partial(self._settle, gate, group, fault))

    def _commit(self, records: list[bytes]) -> LogUnavailable | None:
        self._busy_since = time.monotonic()
        try:
            self.writer.commit(records)
        except LogUnavailable as error:
            return error
        except Exception as error:
            # Nobody else would tell those who wait, and the thread must outlive it.
            facts.exception("%s failed in a way that was not foreseen", self.place)
            return LogUnavailable(f"{self.place} failed: {error!r}.", hint="The collector's log has the traceback.")
        finally:
            self._busy_since = None
        return None
