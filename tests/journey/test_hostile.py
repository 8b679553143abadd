"""Whatever is sent to a real collector is answered, and is an event or a failed event with its original bytes."""

import base64
import gzip
import http.client
import json
import multiprocessing
import zlib
from pathlib import Path
from typing import Any

import pytest

from catchment.collect.log import open_log
from catchment.project import Project
from tests.enrich.conftest import TP2
from tests.enrich.test_hostile import CORPUS
from tests.journey.flow import collecting, empty_log, make_project

JSON = {"Content-Type": "application/json"}
MEMORY_BYTES = 600 * 1024 * 1024
"""Far more than a collector at rest takes, and less than the bombs beside each other would."""

BOMB = gzip.compress(b"0" * 200 * 2**20)
SENT: dict[str, tuple[bytes, dict[str, str]]] = {
    **{name: (body, JSON) for name, body in CORPUS.items()},
    "a zip bomb": (BOMB, {**JSON, "Content-Encoding": "gzip"}),
    "a zip bomb in a zip bomb": (gzip.compress(BOMB), {**JSON, "Content-Encoding": "gzip"}),
    "a deflated bomb": (zlib.compress(b" " * 100 * 2**20), {**JSON, "Content-Encoding": "deflate"}),
    "a body that only says it is packed": (b"\x1f\x8b nothing", {**JSON, "Content-Encoding": "gzip"}),
    "an unknown packing": (b"{}", {**JSON, "Content-Encoding": "zstd, br, magic"}),
    "every byte": (bytes(range(256)) * 16, {"Content-Type": "application/octet-stream"}),
    "a content type of 8 kB": (b"{}", {"Content-Type": "a/" + "b" * 8_000}),
    "90 headers": (b"{}", {f"x-{n}": "y" * 300 for n in range(90)}),
    "a garbled cookie": (b"{}", {**JSON, "Cookie": 'sp="\\;;==,,; sp=' + "z" * 4_000}),
    "odd forwarding": (b"{}", {**JSON, "X-Forwarded-For": ",,,::1%lo, 999.1.1.1, \"'<script>"}),
    "an event that is a schema bomb": (
        json.dumps({"schema": "iglu:a/" + "b" * 100_000 + "/jsonschema/1-0-0", "data": [{}] * 10_000}).encode(),
        JSON,
    ),
}
QUERIES = {
    "raw bytes": "/i?e=pv&page=%00%ff%fe&url=%",
    "lone surrogates": "/i?e=pv&page=%ed%a0%80&p=web&tv=x",
    "one key of 30 kB": "/i?" + "k" * 30_000 + "=1",
    "ten thousand keys": "/i?" + "&".join(f"k{n}=1" for n in range(5_000)),
    "base64 of anything": "/i?e=ue&p=web&tv=x&ue_px=" + base64.urlsafe_b64encode(bytes(range(256))).decode(),
    "no value at all": "/i?&&&===;;;",
    "a path of percent signs": "/%2e%2e/%00%ff",
}


def ask(port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def most_memory_of(children: list[int]) -> int:
    """Give the most bytes that any of these processes ever held."""
    peaks = []
    for pid in children:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        peaks += [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return max(peaks)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Send everything, enrich it all, and say what came of it."""
    project: Project = make_project(tmp_path_factory.mktemp("hostile") / "project")
    port = project.settings.collect.port
    with collecting(project):
        statuses = {name: ask(port, "POST", TP2, body, headers) for name, (body, headers) in SENT.items()}
        statuses |= {name: ask(port, "GET", path) for name, path in QUERIES.items()}
        children = [child.pid for child in multiprocessing.active_children() if child.name == "collector"]
        memory = most_memory_of([pid for pid in children if pid is not None])
        healthy = ask(port, "GET", "/health")
        log = open_log(project.settings.collect, project.folder)
        payloads = [row for part in log.parts() for row in part.read(-1, 10_000).to_pylist()]
        log.close()
    empty_log(project)
    return {
        "statuses": statuses,
        "memory": memory,
        "healthy": healthy,
        "payloads": payloads,
        "events": project.lake.read("events", ["event_id", "collector_tstamp"]).num_rows,
        "failed": project.lake.read("failed_events").to_pylist(),
        "conservation": project.conservation(),
    }


def test_nothing_is_answered_with_a_fault_of_ours_and_the_collector_stays_up(told: dict[str, Any]) -> None:
    assert {name: status for name, status in told["statuses"].items() if status >= 500} == {}
    assert told["healthy"] == 200


def test_memory_stays_bounded_whatever_unpacks_to_what(told: dict[str, Any]) -> None:
    assert told["memory"] < MEMORY_BYTES


def test_all_that_was_answered_with_200_is_an_event_or_a_failed_event(told: dict[str, Any]) -> None:
    kept = [name for name, status in told["statuses"].items() if status == 200]
    assert len(told["payloads"]) == len(kept)
    assert told["events"] > 0
    for stage in told["conservation"]:
        assert stage["received"] == stage["events"] + stage["failed"] + stage["duplicates"], stage


def test_each_failed_event_has_the_bytes_as_they_came(told: dict[str, Any]) -> None:
    bodies = {row["payload_id"]: row["body"] for row in told["payloads"]}
    assert told["failed"]
    for row in told["failed"]:
        has_parameters = json.loads(row["original"])["parameters"] is not None
        assert has_parameters or row["payload"] == bodies[row["payload_id"]]
