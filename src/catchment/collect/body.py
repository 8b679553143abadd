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
        told = request.header("content-length")
        expected = int(told) if told is not None else None
        reserved = min(expected if expected is not None else self._max_body_bytes, self._max_body_bytes)
        if self._held_bytes + reserved > self._max_held_bytes:
            raise TooMuchAtOnce("The collector holds as many bodies as it may.", hint="Raise collect.max_held_bytes.")
        self._held_bytes += reserved
        try:
            if expected is not None and expected <= self._max_body_bytes:
                body = Body(await self._read_whole(protocol))
            else:
                body = await self._read_some(protocol, expected)
        finally:
            self._held_bytes -= reserved
        encoding = request.header("content-encoding")
        if encoding is None or not body.content or body.cut_from:
            return body
        try:
            return Body(unpack(body.content, encoding, self._max_body_bytes))
        except StillPacked as error:
            return Body(body.content, still_packed=str(error))

    async def _read_whole(self, protocol: Any) -> bytes:
        try:
            content: bytes = await self._deadlines.keep(protocol())
        except (ProtocolClosed, TimeoutError) as error:
            raise BodyNotWhole("The body did not all come.") from error
        return content

    async def _read_some(self, protocol: Any, expected: int | None) -> Body:
        """Read a body that is too long, or does not tell its length; what is cut is never held."""
        beginning = _Beginning(self._max_body_bytes)
        is_late = False
        try:
            await self._deadlines.keep(beginning.take_from(protocol))
        except TimeoutError:
            is_late = True
        content, came = bytes(beginning.content), beginning.came
        if came > self._max_body_bytes:
            # However it ended: it would be too long the next time as well, so that nobody may send it for ever.
            return Body(content, cut_from=max(came, expected or 0))
        if is_late or expected is not None:
            raise BodyNotWhole("The body did not all come.")
        return Body(content)


class _Beginning:
    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.content = bytearray()
        self.came = 0

    async def take_from(self, protocol: Any) -> None:
        async for chunk in protocol:
            self.came += len(chunk)
            self.content += chunk[: self._max_bytes - len(self.content)]


class Deadlines:
    """Ends waits that take too long. One timer looks after all of them: nearly none will ever need it."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._waits: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._is_watching = False

    async def keep(self, wait: Any) -> Any:
        """Give what `wait` gives; raises TimeoutError where it takes too long."""
        task = asyncio.current_task()
        if task is None:
            return await wait
        loop = task.get_loop()
        self._waits[task] = loop.time() + self._timeout_s
        if not self._is_watching:
            self._is_watching = True
            loop.call_later(self._timeout_s / SWEEPS, self._sweep, loop)
        try:
            return await wait
        except asyncio.CancelledError:
            if task not in self._overdue:
                raise
            task.uncancel()
            raise TimeoutError from None
        finally:
            del self._waits[task]
            self._overdue.discard(task)

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
