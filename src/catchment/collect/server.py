"""The HTTP side of the collector: a Granian server in this process, answering 200 only for what is durable."""

import asyncio
import gc
import math
import signal
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server.embed import Server

from catchment.collect import REDIRECT_PATH, CollectSettings
from catchment.collect.body import Bodies, BodyNotWhole, TooMuchAtOnce
from catchment.collect.intake import Intake
from catchment.collect.log import Log, LogUnavailable, open_log
from catchment.collect.redirect import redirect_routes
from catchment.collect.request import Request
from catchment.collect.route import TEXT_HEADERS, Answer, Route, Routes
from catchment.collect.rudderstack import rudderstack_routes
from catchment.collect.segment import segment_routes
from catchment.collect.service import RETRY_HEADERS, service_routes
from catchment.collect.tracker import tracker_routes
from catchment.collect.workers import keep_running
from catchment.errors import CatchmentError
from catchment.listen import require_free_port
from catchment.observe import log as facts

try:
    import uvloop
except ImportError:  # not made for every platform
    uvloop = None  # type: ignore[assignment]

HEAD_BYTES = 128 * 1024
GARBAGE_OBJECTS = 10_000
"""As often are cycles looked for; a request leaves none, and makes a hundred objects that are gone with it."""

RouteSource = Callable[[Intake], Iterable[Route]]

ROUTES: tuple[RouteSource, ...] = (
    rudderstack_routes,
    segment_routes,
    service_routes,
    redirect_routes,
    tracker_routes,
)
"""Every protocol's routes; where two forms of path fit, the earlier answers."""


class Collector:
    """The RSGI application: finds who answers, and gives them the request whole."""

    def __init__(
        self,
        settings: CollectSettings,
        log: Log,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        more_routes: Iterable[RouteSource] = (),
    ) -> None:
        self.intake = Intake(settings, log, clock)
        self._routes = Routes(route for source in (*more_routes, *ROUTES) for route in source(self.intake))
        self._paths = {path: target for path, target in settings.paths.items() if target != REDIRECT_PATH}
        self._bodies = Bodies(
            max_body_bytes=settings.max_body_bytes,
            max_held_bytes=settings.max_held_bytes,
            timeout_s=settings.body_timeout_s,
        )
        self._untold = 0
        self._told_at = -math.inf

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(scope, protocol)
        except asyncio.CancelledError:
            # Only the server cancels, because the other end is gone: nobody is left to answer.
            return
        if scope.method == "HEAD" or not answer.body:
            protocol.response_empty(answer.status, answer.headers)
        else:
            protocol.response_bytes(answer.status, answer.headers, answer.body)

    async def _answer(self, scope: Any, protocol: Any) -> Answer:
        method = scope.method
        path = scope.path
        path = self._paths.get(path, path)
        answering = self._routes.find(method, path)
        if answering is None:
            return Answer(404, TEXT_HEADERS, b"404 not found")
        headers = scope.headers
        request = Request(method, path, scope.query_string, headers.items(), _host_of(scope.client))
        names = headers.keys()
        if len(names) != len(request.named):
            # The server gives no value that is not ASCII; that there was one is told all the same.
            request.unreadable = ", ".join(sorted(set(names) - set(request.named)))
        try:
            if method == "POST":
                request.body = await self._bodies.read(request, protocol)
            return await answering(request)
        except (LogUnavailable, TooMuchAtOnce) as error:
            self._tell(error)
            return self._refuse(request, 503, b"the payload could not be kept, send it again")
        except BodyNotWhole:
            return self._refuse(request, 408, b"the body did not all come, send it again")

    def _tell(self, error: Exception) -> None:
        """Log that payloads are refused, once a second at most: where a disk is full, so may be that of the log."""
        self._untold += 1
        if time.monotonic() - self._told_at >= 1:
            facts.error("collect refused payloads: %d, the last because: %s", self._untold, error)
            self._told_at, self._untold = time.monotonic(), 0

    def _refuse(self, request: Request, status: int, why: bytes) -> Answer:
        return Answer(status, [*RETRY_HEADERS, *self.intake.shared_headers(request)], why)


def serve_collector(settings: CollectSettings, folder: Path, more_routes: Iterable[RouteSource] = ()) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered before it returns.

    With several workers `more_routes` must be module-level functions: each worker is a process of its own.
    """
    require_free_port(settings.host, settings.port, "collect.port")
    facts.info("collect listens on http://%s:%d", settings.host, settings.port)
    if settings.workers == 1:
        _serve_alone(settings, folder, more_routes)
    else:
        keep_running(settings.workers, _serve_alone, settings, folder, tuple(more_routes))


def _serve_alone(settings: CollectSettings, folder: Path, more_routes: Iterable[RouteSource]) -> None:
    serve_into(open_log(settings, folder), settings, more_routes)


def serve_into(log: Log, settings: CollectSettings, more_routes: Iterable[RouteSource] = ()) -> None:
    """Serve in this process until SIGTERM or SIGINT, with a log that is open, and close it."""
    # What stands now stays to the end, so that the collector of garbage need not look at it again and again.
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)
    try:
        run_loop(serve(settings, Collector(settings, log, more_routes=more_routes)))
    finally:
        log.close()


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run to the end in uvloop, which takes a sixth less of the processor, or where there is none in asyncio."""
    with asyncio.Runner(loop_factory=None if uvloop is None else uvloop.new_event_loop) as runner:
        runner.run(main)


async def serve(settings: CollectSettings, collector: Collector) -> None:
    """Serve in this process until SIGTERM or SIGINT."""
    server = Server(
        collector,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(settings.idle_timeout_s * 1000), max_buffer_size=HEAD_BYTES
        ),
        websockets=False,
        backlog=1024,
        backpressure=settings.max_connections,
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        collector.intake.is_closing = True
        loop.call_later(settings.drain_s, server.stop)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    await server.serve()
    if not collector.intake.is_closing:
        raise CatchmentError("The collector's HTTP server ended by itself.", hint="Its own message stands above.")


def _host_of(client: str) -> str:
    host, _, _port = client.rpartition(":")
    return host.strip("[]") or client
