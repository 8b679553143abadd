"""An Iglu registry as a real HTTP server, which can be told to misbehave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RegistryServer:
    """Schemas by path; `status` answers everything with that, `delay_s` makes it slow, `garbage` no JSON."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self.lists: dict[str, list[str]] = {}
        self.status: int | None = None
        self.delay_s = 0.0
        self.garbage = False
        self.api_key: str | None = None
        self.asked: list[str] = []
        self.is_down = False
        self._released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def keep(self, path: str, schema: Any) -> None:
        self.schemas[f"/schemas/{path}"] = schema

    def stop(self) -> None:
        """Go down: nobody listens at the address any more."""
        self.is_down = True
        self._released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, key: str | None) -> tuple[int, bytes]:
        self.asked.append(path)
        if self.delay_s:
            self._released.wait(self.delay_s)
        if self.status is not None:
            return self.status, b"{}"
        if self.garbage:
            return 200, b"<html>Sign in to this network</html>"
        if self.api_key is not None and key != self.api_key:
            return 403, b"{}"
        found = self.lists.get(path, self.schemas.get(path))
        return (404, b"{}") if found is None else (200, json.dumps(found).encode())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_GET(self) -> None:
                if server.is_down:
                    self.close_connection = True
                    return
                status, body = server.answer(self.path, self.headers.get("apikey"))
                try:
                    self.send_response(status)
                    self.send_header("content-length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # whoever asked has left

            def log_message(self, *_: Any) -> None:
                """Say nothing: what is asked stands in `asked`."""

        return Handler


@contextmanager
def serving_registry() -> Iterator[RegistryServer]:
    server = RegistryServer()
    try:
        yield server
    finally:
        server.stop()
