"""The way from a click to the lake as processes of its own: a collector, a loop that enriches and commits, and load."""

import http.client
import json
import multiprocessing
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from catchment.demo import serving_collector
from catchment.errors import CatchmentError
from catchment.project import Project
from tests.clients import Clients
from tests.ports import free_port

TP2 = "/com.snowplowanalytics.snowplow/tp2"
SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
JSON = {"Content-Type": "application/json"}
LISTENS_WITHIN_S = 40.0


def make_project(folder: Path, **collect: Any) -> Project:
    Project.init(folder)
    path = folder / "catchment.yml"
    content = yaml.safe_load(path.read_text())
    content["collect"] = {"port": free_port(), **collect}
    path.write_text(yaml.safe_dump(content))
    return Project.open(folder)


def serve(folder: Path) -> None:
    """Be a collector."""
    Project.open(folder).collect()


def enrich_for_ever(folder: Path) -> None:
    """Be the loop; what is only in the way for now is tried again, as a supervisor of processes would."""
    project = Project.open(folder)
    while True:
        try:
            project.enrich()
        except CatchmentError as error:
            print(error, file=sys.stderr)
            time.sleep(0.2)
        time.sleep(0.02)


def started(target: Any, folder: Path) -> Any:
    child = multiprocessing.get_context("spawn").Process(target=target, args=(folder,), daemon=True)
    child.start()
    return child


class Load(Clients):
    """Clients that send events, each once, and remember which were answered with 200."""

    def __init__(self, port: int, clients: int = 3, batch: int = 4) -> None:
        super().__init__(clients)
        self.batch = batch
        self.unsure: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(clients)]

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for connection in self._connections:
            connection.close()

    def send(self, client: int, number: int) -> None:
        connection = self._connections[client]
        ids = [str(uuid.uuid4()) for _ in range(self.batch)]
        status = post_events(connection, ids, cookie=f"sp={uuid.UUID(int=client, version=4)}")
        self.statuses[status] += 1
        if status == 200:
            self.kept += ids
        else:
            self.unsure += ids
            connection.close()
            self._stop.wait(0.05)


def post_events(connection: http.client.HTTPConnection, ids: list[str], cookie: str = "") -> int:
    """Send page views under these ids, and give the status, 0 where there was no answer."""
    url = "https://www.acme.example/"
    events = [{"e": "pv", "p": "web", "tv": "js-4", "eid": id_, "url": url} for id_ in ids]
    body = json.dumps({"schema": SCHEMA, "data": events})
    try:
        connection.request("POST", TP2, body, {**JSON, "Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return 0
    return answer.status


def wait_until_healthy(port: int) -> None:
    deadline = time.monotonic() + LISTENS_WITHIN_S
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
        finally:
            connection.close()
        assert time.monotonic() < deadline, "the collector is not healthy"


def empty_log(project: Project) -> None:
    """Enrich all that waits; the brokers may know only in a moment what was committed."""
    deadline = time.monotonic() + 60
    while True:
        project.enrich()
        if project.waiting() == 0:
            return
        assert time.monotonic() < deadline, "the log does not get empty"


def require_exactly_once(project: Project, load: Load) -> None:
    """Hold what the lake has against what was answered."""
    times = Counter(project.lake.read("events", ["event_id"])["event_id"].to_pylist())
    lost = [id_ for id_ in load.kept if times[id_] == 0]
    doubled = [id_ for id_, count in times.items() if count > 1]
    unknown = set(times) - set(load.kept) - set(load.unsure)
    assert (len(lost), len(doubled), len(unknown)) == (0, 0, 0)
    for stage in project.conservation():
        assert stage["received"] == stage["events"] + stage["failed"] + stage["duplicates"], stage


@contextmanager
def collecting(project: Project) -> Iterator[None]:
    with serving_collector(project):
        yield
