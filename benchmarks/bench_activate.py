"""How fast is it seen what changed, and how fast is it sent?

`python benchmarks/bench_activate.py [detect|deliver|both] [ROWS]`

Detection: a Delta table of ROWS x 8 columns of which 0.1 % change, all of them told before. Compared in one run:
the sync's own planning from the change data feed, from the files that changed, and by hash over all rows; a plain join
of two snapshots in DuckDB; and the limit, which is to read the changed files.

Delivery: ROWS rows in batches of 100 to an HTTP server of this machine that answers at once. Where `drt` (drt-core from
PyPI) stands in the folder that DRT names, the same rows go to the same server through it.
"""

import asyncio
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

import duckdb
import orjson
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from catchment.activate.batch import SENT, Batch, Limits, Outcome, Pace
from catchment.activate.caller import Caller
from catchment.activate.changes import find_changes, hash_rows, mapping_seed, source_names
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import WebDestination
from catchment.activate.mapping import read_sources
from catchment.activate.planning import Ground, Wishes
from catchment.activate.render import render_rows
from catchment.activate.state import State, as_table
from catchment.activate.sync import run_sync
from catchment.activate.versions import find_changes_since, versions_of
from catchment.lake.engines.duckdb import DuckDB
from catchment.lake.lake import Lake
from catchment.listen import running
from catchment.tables import SYNC_RUNS, SYNC_STATE

DETECT_ROWS, DELIVER_ROWS = 1_000_000, 100_000
CHANGED = 1_000
"""One row in so many changes."""
CHUNK = 250_000
NOW = datetime(2026, 5, 1, tzinfo=UTC)
NOWHERE, SNAPSHOT = "http://127.0.0.1:1", "before.parquet"
FIELDS = ("email", "first_name", "city", "country", "score", "visits", "plan")


class Sink(WebDestination):
    """A server that takes anything."""

    batch_limits: ClassVar[Limits] = Limits(rows=100)
    pace: ClassVar[Pace] = Pace(concurrent=4)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        response = caller.request("POST", self.url, content=orjson.dumps(batch.rows))
        return [SENT] * len(batch.rows) if response.status_code == 200 else [Outcome("retry")] * len(batch.rows)


class Answering(asyncio.Protocol):
    """Reads requests whole and answers each at once."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.held = transport, b""

    def data_received(self, data: bytes) -> None:
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head = self.held[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self.held) < end + 4 + size:
                return
            self.held = self.held[end + 4 + size :]
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")


def serve(port: int) -> None:
    """Answer until stopped."""

    async def listen() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(listen())


@contextmanager
def taking() -> Iterator[str]:
    """Have a server take requests in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    url = f"http://127.0.0.1:{port}/"
    with running(serve, port, health_url=url, name="sink"):
        yield url


def people(first: int, count: int) -> pl.DataFrame:
    """Make people of eight columns, the same each time."""
    ids = pl.int_range(first, first + count, eager=True).alias("n")
    return pl.DataFrame(ids).select(
        pl.format("person-{}", pl.col("n").cast(pl.String).str.zfill(10)).alias("person_id"),
        pl.format("someone.{}@example.com", "n").alias("email"),
        pl.format("Ann{}", pl.col("n") % 5_000).alias("first_name"),
        pl.format("City {}", pl.col("n") % 700).alias("city"),
        pl.format("C{}", pl.col("n") % 90).alias("country"),
        (pl.col("n") * 7 % 1_000 / 1_000).alias("score"),
        (pl.col("n") % 40).alias("visits"),
        pl.format("plan{}", pl.col("n") % 4).alias("plan"),
    )


def declared(url: str) -> tuple[Sync, Sink]:
    """Give a sync of every column to a destination that takes anything."""
    fields = {name: name for name in FIELDS}
    content = {"name": "bench", "destination": "sink", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "fields": fields}, "syncs/bench.yml"), Sink(name="sink", url=url)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def show(title: str, rows: list[tuple[str, ...]]) -> None:
    print(f"\n{title}")
    widths = [max(len(str(row[place])) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        print("  " + "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)))


def memory_mb() -> float:
    """Give the peak of this process alone; `getrusage` would tell that of the process it was started from."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def settle(lake: Lake, sync: Sync, sink: Sink, rows: int) -> None:
    """Fill the table, and the state as if everybody had been sent."""
    state = State(lake, sync, sink)
    seed, names = mapping_seed(sync, sink), source_names(sync)
    for first in range(0, rows, CHUNK):
        chunk = people(first, min(CHUNK, rows - first))
        properties = {"delta.enableChangeDataFeed": "true"}
        write_deltalake(lake.path("people"), chunk.to_arrow(), mode="append", configuration=properties)
        source = chunk.select(pl.col("person_id").alias("row_key"), *(pl.col(name) for name in sync.columns()))
        told = render_rows(hash_rows(source, names, seed), sync, sink).wanted
        marks = {"sync": sync.name, "scope": state.scope, "last_status": "sent", "attempts": 0, "sequence": 0}
        told = told.with_columns(pl.lit(value).alias(name) for name, value in marks.items())
        told = told.with_columns(pl.col("fingerprint").alias("tried_fingerprint"))
        lake.append(SYNC_STATE.name, as_table(told, SYNC_STATE.schema))
    note_run(lake, sync, sink)


def note_run(lake: Lake, sync: Sync, sink: Sink) -> None:
    versions = orjson.dumps(versions_of(sync, sink, lake)).decode()
    row = {"run_id": "seed", "sync": sync.name, "started_at": NOW, "status": "ok", "versions": versions}
    lake.append(SYNC_RUNS.name, pa.Table.from_pylist([row], SYNC_RUNS.schema))


def change(lake: Lake, rows: int) -> None:
    """Change one row in so many, here and there."""
    changed = people(0, rows).gather_every(CHANGED).with_columns(pl.lit("Elsewhere").alias("city"))
    merge = lake.delta("people").merge(
        changed.to_arrow(), "t.person_id = s.person_id", source_alias="s", target_alias="t"
    )
    merge.when_matched_update(updates={"city": "s.city"}).execute()


def detect(rows: int, folder: Path) -> None:
    """See what changed, in four ways."""
    lake = Lake(str(folder / "lake"))
    sync, sink = declared(NOWHERE)
    settle(lake, sync, sink, rows)
    pl.scan_delta(lake.path("people")).sink_parquet(folder / SNAPSHOT)
    change(lake, rows)
    expected = (rows + CHANGED - 1) // CHANGED
    table = [("way", "seconds", "CPU s", "CPU beside the join", "peak MB")]
    measured = {title: alone(way, folder) for title, way in WAYS.items()}
    for title, (took_s, worked_s, peak_mb, found) in measured.items():
        assert found == expected, (title, found, expected)
        beside = f"{worked_s / measured[JOIN][1]:.2f}"
        table.append((title, f"{took_s:.2f}", f"{worked_s:.2f}", beside, f"{peak_mb:.0f}"))
    show(f"Detection: {rows:,} rows x 8 columns, {expected:,} changed; each in a process of its own", table)


def alone(way: Callable[[Path], int], folder: Path) -> tuple[float, float, float, int]:
    """Go one way in a process of its own, for its memory's sake: wall and CPU seconds, peak, and what it found."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, way, folder).result()


def measure(way: Callable[[Path], int], folder: Path) -> tuple[float, float, float, int]:
    worked_s = time.process_time()
    took_s, found = timed(lambda: way(folder))
    return took_s, time.process_time() - worked_s, memory_mb(), found


def by_hash(folder: Path) -> int:
    """Find by hash over all rows what changed."""
    lake = Lake(str(folder / "lake"))
    sync, sink = declared(NOWHERE)
    with DuckDB(memory_limit="600MB").attach(lake) as session:
        state = State(lake, sync, sink)
        changes = find_changes(lambda: read_sources(sync, session, lake), sync, sink, state, is_full=False)
    return changes.rows.height


def by_feed(folder: Path) -> int:
    """Find from the change data feed what changed."""
    lake = Lake(str(folder / "lake"))
    sync, sink = declared(NOWHERE)
    changes = find_changes_since(sync, sink, lake, State(lake, sync, sink), versions_of(sync, sink, lake))
    assert changes is not None
    return changes.rows.height


def read_feed(folder: Path) -> int:
    """Read the change data feed and do nothing with it."""
    delta = DeltaTable(Lake(str(folder / "lake")).path("people"))
    feed = pa.table(delta.load_cdf(starting_version=delta.version()))
    return feed["_change_type"].to_pylist().count("update_postimage")


def join(folder: Path) -> int:
    """Compare two snapshots as others do: hash both sides, join, keep what differs."""
    files = list(Lake(str(folder / "lake")).delta("people").file_uris())
    columns = ", ".join(FIELDS)
    side = f"select person_id, hash({columns}) as fingerprint from read_parquet($files)"
    question = f"""
        with before as ({side.replace("$files", "$before")}), after as ({side.replace("$files", "$after")})
        select count(*) from before full outer join after using (person_id)
        where before.fingerprint is distinct from after.fingerprint
    """
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(question, {"before": [str(folder / SNAPSHOT)], "after": files}).fetchone()
    return int(found[0]) if found else 0


JOIN = "plain DuckDB join of two snapshots"
WAYS: dict[str, Callable[[Path], int]] = {
    "the limit: read the change feed": read_feed,
    "sync, from the change feed": by_feed,
    "sync, by hash over all rows": by_hash,
    JOIN: join,
}


def deliver(rows: int, folder: Path) -> None:
    """Send everybody to a server that takes anything."""
    lake = Lake(str(folder / "lake"))
    for first in range(0, rows, CHUNK):
        write_deltalake(lake.path("people"), people(first, min(CHUNK, rows - first)).to_arrow(), mode="append")
    table = [("who", "rows/s", "seconds", "rows per second of CPU", "peak MB")]
    with taking() as url:
        sync, sink = declared(url)
        warm, _ = declared(url)
        with DuckDB(memory_limit="400MB").attach(lake) as session:
            run_sync(warm.model_copy(update={"name": "warm"}), sink, Ground(session, lake, NOW), Wishes(sample=1))
            worked_s = time.process_time()
            took_s, report = timed(lambda: run_sync(sync, sink, Ground(session, lake, NOW)))
            worked_s = time.process_time() - worked_s
        assert report.sent == rows and report.status == "ok"
        table.append(
            (
                "catchment, with a receipt for each row",
                f"{rows / took_s:,.0f}",
                f"{took_s:.1f}",
                f"{rows / worked_s:,.0f}",
                f"{memory_mb():.0f}",
            )
        )
        peer = deliver_with_drt(rows, folder, url)
        table += [peer] if peer else []
    show(f"Delivery: {rows:,} rows in batches of 100 to a local server", table)


def deliver_with_drt(rows: int, folder: Path, url: str) -> tuple[str, ...] | None:
    """Send the same rows by drt, where it stands in the folder that DRT names."""
    drt = Path(os.environ.get("DRT", "/nowhere")) / "bin" / "drt"
    if not drt.is_file():
        print(
            "drt-core is not beside it: `python -m venv DIR && DIR/bin/pip install 'drt-core[duckdb]'`, then DRT=DIR."
        )
        return None
    place = folder / "drt"
    (place / "syncs").mkdir(parents=True)
    with duckdb.connect(str(place / "people.duckdb")) as connection:
        frame = people(0, rows).to_arrow()
        connection.register("frame", frame)
        connection.execute("create table people as select * from frame")
    (place / "drt_project.yml").write_text(DRT_PROJECT)
    (place / "profiles.yml").write_text(DRT_PROFILES)
    (place / "syncs" / "people.yml").write_text(DRT_SYNC.replace("URL", url))
    home = {**os.environ, "HOME": str(place)}
    (place / ".drt").mkdir()
    (place / ".drt" / "profiles.yml").write_text(DRT_PROFILES.replace("PATH", str(place / "people.duckdb")))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took_s, done = timed(lambda: subprocess.run([drt, "run"], cwd=place, env=home, capture_output=True, text=True))
    if done.returncode or str(rows) not in done.stdout.replace(",", ""):
        print("drt did not do it:", (done.stdout + done.stderr)[-600:])
        return None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return ("drt-core", f"{rows / took_s:,.0f}", f"{took_s:.1f}", f"{rows / worked_s:,.0f}", "")


DRT_PROJECT = "name: bench\nversion: '0.1'\nprofile: bench\n"
DRT_PROFILES = "bench:\n  type: duckdb\n  database: PATH\n"
DRT_SYNC = """
name: people
model: ref('people')
destination:
  type: rest_api
  url: URL
  method: POST
  headers: {Content-Type: application/json}
  body_mode: batch
  batch_template: "{{ rows | tojson }}"
  max_records_per_request: 100
sync:
  mode: full
  batch_size: 100
  rate_limit: {requests_per_second: 100000}
"""


def main() -> None:
    """Run what is asked for, or both."""
    what = sys.argv[1] if len(sys.argv) > 1 else "both"
    rows = int(sys.argv[2].replace("_", "")) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as folder:
        if what in ("both", "deliver"):
            deliver(rows or DELIVER_ROWS, Path(folder) / "deliver")
        if what in ("both", "detect"):
            detect(rows or DETECT_ROWS, Path(folder) / "detect")


if __name__ == "__main__":
    main()
