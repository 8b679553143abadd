"""The HTTP side of the collector: a Granian server in this process, answering 200 only for what is durable."""

import asyncio
import base64
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from catchment.collect import CollectSettings
from catchment.collect.log import Log, LogUnavailable, open_log
from catchment.collect.request import Request, choose_network_userid, cors_headers, set_cookie, to_payload
from catchment.listen import require_free_port
from catchment.observe import log as facts

PIXEL = base64.b64decode("R0lGODlhAQABAPAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
PIXEL_PATHS = frozenset({"/i", "/ice.png"})
PIXEL_HEADERS = [("content-type", "image/gif"), ("cache-control", "no-cache, no-store, must-revalidate")]
TEXT_HEADERS = [("content-type", "text/plain; charset=utf-8")]
RETRY_HEADERS = [*TEXT_HEADERS, ("retry-after", "5")]
CONNECTIONS = 512

Headers = list[tuple[str, str]]


class Collector:
    """The RSGI application."""

    def __init__(
        self, settings: CollectSettings, log: Log, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.settings = settings
        self.log = log
        self.clock = clock
        self.log_type = str(settings.log["type"])

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        match scope.method, scope.path:
            case _, "/health":
                await self._answer_health(protocol)
            case "OPTIONS", _:
                self._answer_preflight(scope, protocol)
            case method, path if _is_tracked(method, path):
                await self._keep(scope, protocol)
            case _, "/robots.txt":
                protocol.response_str(200, TEXT_HEADERS, "User-agent: *\nDisallow: /\n")
            case _:
                protocol.response_str(404, TEXT_HEADERS, "404 not found")

    async def _keep(self, scope: Any, protocol: Any) -> None:
        body, body_bytes = None, 0
        if scope.method == "POST":
            body, body_bytes = await _read_body(protocol, self.settings.max_body_bytes)
        request = _to_request(scope, body, body_bytes)
        network_userid = choose_network_userid(request, self.settings.cookie)
        payload = to_payload(request, network_userid, self.clock(), self.log_type)
        headers = cors_headers(request)
        try:
            await self.log.append(payload)
        except LogUnavailable as error:
            facts.error("collect refused payload: %s", error)
            protocol.response_str(503, [*RETRY_HEADERS, *headers], "the payload could not be kept, send it again")
            return
        cookie = set_cookie(request, network_userid, self.settings.cookie)
        if cookie is not None:
            headers.append(("set-cookie", cookie))
        if scope.method == "POST":
            protocol.response_str(200, [*TEXT_HEADERS, *headers], "ok")
        elif scope.method == "GET":
            protocol.response_bytes(200, [*PIXEL_HEADERS, *headers], PIXEL)
        else:
            protocol.response_empty(200, [*PIXEL_HEADERS, *headers])

    async def _answer_health(self, protocol: Any) -> None:
        try:
            await self.log.probe()
        except LogUnavailable as error:
            protocol.response_str(503, RETRY_HEADERS, f"{error} {error.hint}")
            return
        protocol.response_str(200, TEXT_HEADERS, "ok")

    def _answer_preflight(self, scope: Any, protocol: Any) -> None:
        headers = [
            *cors_headers(_to_request(scope, None, 0)),
            ("access-control-allow-methods", "GET, POST, OPTIONS"),
            ("access-control-allow-headers", "Content-Type, SP-Anonymous"),
            ("access-control-max-age", str(self.settings.preflight_max_age_s)),
        ]
        protocol.response_empty(200, headers)


def serve_collector(settings: CollectSettings, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered before it returns."""
    require_free_port(settings.host, settings.port, "collect.port")
    log = open_log(settings, folder)
    try:
        asyncio.run(_serve(settings, log))
    finally:
        log.close()


async def _serve(settings: CollectSettings, log: Log) -> None:
    server = Server(
        Collector(settings, log),
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        websockets=False,
        backlog=1024,
        backpressure=CONNECTIONS,
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    facts.info("collect listens on http://%s:%d", settings.host, settings.port)
    await server.serve()


async def _read_body(protocol: Any, max_bytes: int) -> tuple[bytes, int]:
    """Give the body, cut where it is too long, and its true length; what is cut is never held."""
    kept = bytearray()
    length = 0
    async for chunk in protocol:
        length += len(chunk)
        kept += chunk[: max_bytes - len(kept)]
    return bytes(kept), length


def _to_request(scope: Any, body: bytes | None, body_bytes: int) -> Request:
    client, _, _port = scope.client.rpartition(":")
    return Request(
        path=scope.path,
        querystring=scope.query_string,
        headers=list(scope.headers.items()),
        client=client.strip("[]") or scope.client,
        body=body,
        body_bytes=body_bytes,
    )


def _is_tracked(method: str, path: str) -> bool:
    if method in ("GET", "HEAD") and path in PIXEL_PATHS:
        return True
    parts = path.split("/")
    is_vendor_path = len(parts) == 3 and parts[0] == "" and parts[1] != "" and parts[2] != ""
    return is_vendor_path and method in ("GET", "HEAD", "POST")
