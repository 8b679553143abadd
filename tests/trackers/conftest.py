"""A project whose collector listens, for real trackers to be pointed at."""

import functools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from catchment.demo import serving_collector
from catchment.project import Project
from tests.ports import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
WRITE_KEYS = {"site": "browser-key", "shop": "server-key"}

ARRIVES_WITHIN_S = 30
"""A guard against waiting for ever; how fast events arrive is measured in benchmarks/."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the pages of a folder at a host of their own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page() -> Iterator[Page]:
    """A page in Chromium, of a visitor whom one can tell."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser.new_page(locale="en-GB", timezone_id="Europe/Berlin", viewport={"width": 900, "height": 700})
        browser.close()


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    Project.init(tmp_path)
    settings = tmp_path / "catchment.yml"
    content = settings.read_text()
    # The addresses of this machine are in no database.
    content = content.replace("    - type: ip_lookup\n      path: data/geo.mmdb\n", "")
    port = free_port()
    keys = "".join(f"    {name}: {key}\n" for name, key in WRITE_KEYS.items())
    settings.write_text(f"{content}\ncollect:\n  port: {port}\n  write_keys:\n{keys}")
    project = Project.open(tmp_path)
    with serving_collector(project):
        yield project


@pytest.fixture
def arrived(project: Project) -> Callable[[set[str]], list[dict[str, Any]]]:
    """Drain the log until an event of each name is in the lake, and give all events."""

    def wait(names: set[str]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        rows: list[dict[str, Any]] = []
        while not names <= {row["event_name"] for row in rows}:
            project.enrich()
            rows = project.lake.read("events").to_pylist() if project.lake.exists("events") else []
            failed = project.lake.read("failed_events").to_pylist()
            assert not failed, failed
            assert time.monotonic() < deadline, {row["event_name"] for row in rows}
        return rows

    return wait
