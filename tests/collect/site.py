"""A real collector in a child process, its real spool on disk, and a client for it."""

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from catchment.collect import CollectSettings
from catchment.collect.log import open_log
from catchment.collect.server import serve_collector
from catchment.listen import running
from tests.ports import free_port

TP2 = "/com.snowplowanalytics.snowplow/tp2"
MAX_BODY_BYTES = 2_000


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


class Site(NamedTuple):
    settings: CollectSettings
    folder: Path

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str | bytes] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.settings.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def send(self, *pieces: bytes, ends: bool = False) -> bytes:
        """Send bytes as they are and give what comes back until the other end closes."""
        with socket.create_connection(("127.0.0.1", self.settings.port), timeout=20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            back = b""
            while piece := connection.recv(65_536):
                back += piece
            return back

    def payloads(self) -> list[dict[str, Any]]:
        log = open_log(self.settings, self.folder)
        try:
            return [row for part in log.parts() for row in part.read(-1, 100_000).to_pylist()]
        finally:
            log.close()

    def last(self) -> dict[str, Any]:
        return self.payloads()[-1]

    def count(self) -> int:
        log = open_log(self.settings, self.folder)
        try:
            return log.depth()
        finally:
            log.close()


def settings_for(**changes: Any) -> CollectSettings:
    return CollectSettings(port=free_port(), **({"max_body_bytes": MAX_BODY_BYTES} | changes))


@contextmanager
def serving(settings: CollectSettings, folder: Path) -> Iterator[Site]:
    health = f"http://127.0.0.1:{settings.port}/health"
    with running(serve_collector, settings, folder, health_url=health, name=f"collector {settings.port}"):
        yield Site(settings, folder)
