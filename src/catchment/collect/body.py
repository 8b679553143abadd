"""Bodies as they come over the wire: cut where they are too long, unpacked, within bounded time and memory."""

import asyncio
import zlib
from typing import Any

from granian.rsgi import ProtocolClosed

from catchment.collect.request import Body, Request
from catchment.errors import TransientError

AUTOMATIC = zlib.MAX_WBITS | 32
"""Tells zlib to find out itself whether it reads gzip or zlib."""

SWEEPS = 8
"""How often a deadline is looked at while it runs; it is overrun by no more than this part of it."""


class BodyNotWhole(TransientError):
    """The connection broke, or was too slow, before all had come; whoever sent it must send it again."""


class TooMuchAtOnce(TransientError):
    """Other bodies take the memory that there is for them; whoever sent this one must come again."""


class StillPacked(Exception):
    """The body cannot be unpacked, and says why: it goes to the log as it came."""


class Bodies:
    """Reads bodies, all of them together within `max_held_bytes`."""

    def __init__(self, *, max_body_bytes: int, max_held_bytes: int, timeout_s: float) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_held_bytes = max_held_bytes
        self._held_bytes = 0
        self._deadlines = Deadlines(timeout_s)

    async def read(self, request: Request, protocol: Any) -> Body:
        """Read the body of a request; raises BodyNotWhole or TooMuchAtOnce."""
        told = request.named.get("content-length")
        expected = None if told is None else int(told)
        is_short = expected is not None and expected <= self._max_body_bytes
        reserved = expected if is_short and expected is not None else self._max_body_bytes
        if self._held_bytes + reserved > self._max_held_bytes:
            raise TooMuchAtOnce("The collector holds as many bodies as it may.", hint="Raise collect.max_held_bytes.")
        self._held_bytes += reserved
        wait = self._deadlines.begin()
        try:
            body = Body(await protocol()) if is_short else await self._read_some(protocol, expected, wait)
        except (ProtocolClosed, asyncio.CancelledError) as error:
            self._deadlines.forgive(wait, error)
            raise BodyNotWhole("The body did not all come.") from error
        finally:
            self._deadlines.end(wait)
            self._held_bytes -= reserved
        encoding = request.named.get("content-encoding")
        return body if encoding is None else self._unpacked(body, encoding)

    async def _read_some(self, protocol: Any, expected: int | None, wait: "Wait") -> Body:
        """Read a body that is too long, or does not tell its length; what is cut is never held."""
        kept = bytearray()
        came = 0
        try:
            async for chunk in protocol:
                came += len(chunk)
                kept += chunk[: self._max_body_bytes - len(kept)]
        except (ProtocolClosed, asyncio.CancelledError) as error:
            if came <= self._max_body_bytes:
                raise
            self._deadlines.forgive(wait, error)
        if came > self._max_body_bytes:
            # However it ended: it would be too long the next time as well, so that nobody may send it for ever.
            return Body(bytes(kept), cut_from=max(came, expected or 0))
        if expected is not None:
            raise BodyNotWhole("The body did not all come.")
        return Body(bytes(kept))

    def _unpacked(self, body: Body, encoding: str) -> Body:
        if not body.content or body.cut_from:
            return body
        try:
            return Body(unpack(body.content, encoding, self._max_body_bytes))
        except StillPacked as error:
            return Body(body.content, still_packed=str(error))


Wait = asyncio.Task[Any]


class Deadlines:
    """Ends waits that take too long. One timer looks after all of them: nearly none will ever need it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waits: dict[Wait, float] = {}
        self._overdue: set[Wait] = set()
        self._is_watching = False

    def begin(self) -> Wait:
        """Begin to wait in this task, which is cancelled where it does not `end` in time."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can wait")
        loop = task.get_loop()
        self._waits[task] = loop.time() + self._timeout_s
        if not self._is_watching:
            self._is_watching = True
            loop.call_later(self._timeout_s / SWEEPS, self._sweep, loop)
        return task

    def end(self, wait: Wait) -> None:
        """End a wait, however it went."""
        del self._waits[wait]
        if self._overdue:
            self._overdue.discard(wait)

    def forgive(self, wait: Wait, error: BaseException) -> None:
        """Let the task go on that was cancelled for being late; raises the error again where others cancelled it."""
        if isinstance(error, asyncio.CancelledError):
            if wait not in self._overdue:
                raise error
            wait.uncancel()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, deadline in self._waits.items():
            if deadline > now:
                break  # Each wait has the same length, so those that began later end later.
            if task not in self._overdue:
                self._overdue.add(task)
                task.cancel()
        self._is_watching = bool(self._waits)
        if self._is_watching:
            loop.call_later(self._timeout_s / SWEEPS, self._sweep, loop)


def unpack(content: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo a Content-Encoding, never holding more than `max_bytes`; raises StillPacked where that is not possible."""
    for name in reversed(encoding.lower().split(",")):
        match name.strip():
            case "identity" | "":
                continue
            case "gzip" | "x-gzip":
                content = _inflate(content, AUTOMATIC, max_bytes)
            case "deflate":
                content = _inflate(content, AUTOMATIC if _is_zlib(content) else -zlib.MAX_WBITS, max_bytes)
            case unknown:
                raise StillPacked(f"its encoding {unknown[:40]} is neither gzip nor deflate")
    return content


def _is_zlib(content: bytes) -> bool:
    """Tell zlib's header; some send deflate without one."""
    return len(content) > 1 and content[0] & 0x0F == zlib.DEFLATED and int.from_bytes(content[:2], "big") % 31 == 0


def _inflate(packed: bytes, window: int, max_bytes: int) -> bytes:
    unpacked = bytearray()
    while packed:
        stream = zlib.decompressobj(window)
        try:
            unpacked += stream.decompress(packed, max_bytes + 1 - len(unpacked))
        except zlib.error as error:
            raise StillPacked(f"it does not unpack: {error}") from error
        if len(unpacked) > max_bytes:
            raise StillPacked(f"it is larger than {max_bytes} bytes unpacked")
        if not stream.eof:
            raise StillPacked("it does not unpack: its end is missing")
        packed = stream.unused_data
    return bytes(unpacked)
