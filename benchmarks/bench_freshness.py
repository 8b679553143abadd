"""How long after the collector's answer an event is readable in the lake, under a steady load.

    python benchmarks/bench_freshness.py [SECONDS [EVENTS_PER_SECOND]]

A collector and the loop of `catchment up` run as processes of their own; a reader looks every 50 ms which rows the
newest version of the table has. Goals at 500 events a second, also over 300 seconds: p50 below 1 s, p95 below 2 s.
"""

import http.client
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pyarrow.parquet as pq
from deltalake import DeltaTable

from catchment.demo import serving_collector
from catchment.project import Project
from catchment.project.current import Loop

SECONDS = 30
EVENTS_PER_SECOND = 500
BATCH = 10
LOOK_EVERY_S = 0.05
ENDS_WITHIN_S = 60.0
GOALS = {"p50": 1.0, "p95": 2.0}
TP2 = "/com.snowplowanalytics.snowplow/tp2"
SCHEMA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"


def loop(folder: Path) -> None:
    """Be the loop."""
    project = Project.open(folder)
    turns = Loop(project)
    while True:
        turns.turn()
        time.sleep(project.settings.enrich.interval_s)


def post(connection: http.client.HTTPConnection) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(BATCH)]
    events = [{"e": "pv", "p": "web", "tv": "js-4", "eid": id_, "url": "https://acme.example/"} for id_ in ids]
    connection.request(
        "POST", TP2, json.dumps({"schema": SCHEMA, "data": events}), {"Content-Type": "application/json"}
    )
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, f"the collector answered {answer.status}"
    return ids


def send(port: int, seconds: float, rate: int, answered: dict[str, float]) -> None:
    """Send evenly; who is late because the machine was busy catches up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    began = time.monotonic()
    for number in range(int(seconds * rate / BATCH)):
        time.sleep(max(0.0, began + number * BATCH / rate - time.monotonic()))
        ids = post(connection)
        answered |= dict.fromkeys(ids, time.monotonic())
    connection.close()


class Reader:
    """Remembers when each event was first readable."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.seen: dict[str, float] = {}
        self._known: set[str] = set()
        self._delta: DeltaTable | None = None

    def look(self) -> None:
        if self._delta is None:
            if not self.project.lake.exists("events"):
                return
            self._delta = self.project.lake.delta("events")
        self._delta.update_incremental()
        now = time.monotonic()
        for path in set(self._delta.file_uris()) - self._known:
            self._known.add(path)
            for id_ in pq.read_table(path, columns=["event_id"], partitioning=None)["event_id"].to_pylist():
                self.seen.setdefault(id_, now)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    rate = int(sys.argv[2]) if len(sys.argv) > 2 else EVENTS_PER_SECOND
    project = Project.init(Path(tempfile.mkdtemp()) / "bench")
    answered: dict[str, float] = {}
    reader = Reader(project)
    with serving_collector(project):
        child = multiprocessing.get_context("spawn").Process(target=loop, args=(project.folder,))
        child.start()
        try:
            # What the loop and the readers open once is not what is measured.
            send(project.settings.collect.port, 1, BATCH, warm := {})
            deadline = time.monotonic() + ENDS_WITHIN_S
            while not warm.keys() <= reader.seen.keys():
                assert time.monotonic() < deadline, "the loop does not begin"
                reader.look()
                time.sleep(LOOK_EVERY_S)
            sender = threading.Thread(target=send, args=(project.settings.collect.port, seconds, rate, answered))
            sender.start()
            deadline = time.monotonic() + seconds + ENDS_WITHIN_S
            while sender.is_alive() or not answered.keys() <= reader.seen.keys():
                assert time.monotonic() < deadline, "not all events arrived"
                reader.look()
                time.sleep(LOOK_EVERY_S)
        finally:
            child.kill()
            child.join()
    waits = [reader.seen[id_] - at for id_, at in answered.items()]
    cuts = statistics.quantiles(waits, n=100)
    print(f"{len(waits):,} events at {rate} a second")
    for name, value in {"p50": cuts[49], "p95": cuts[94], "worst": max(waits)}.items():
        goal = f"   goal {GOALS[name]:.0f} s ({value / GOALS[name]:.0%} of it)" if name in GOALS else ""
        print(f"{name:6}{value:>6.2f} s{goal}")
    shutil.rmtree(project.folder.parent)


if __name__ == "__main__":
    main()
