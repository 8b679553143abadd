"""Spool: durable payloads per second of 64 requests at once, and why each process has files of its own.

Compared with as many processes that share one SQLite file and wait for each other with its busy timeout.
"""

import asyncio
import multiprocessing
import sqlite3
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catchment.collect import CollectSettings
from catchment.collect.log import Payload, open_log
from catchment.collect.record import encode_record

PAYLOADS = int(sys.argv[1]) if len(sys.argv) > 1 else 6_000
AT_ONCE = 64
BODY = b"x" * 1_200
NOW = datetime(2026, 3, 1, tzinfo=UTC)
PAYLOAD = Payload(
    "0b1b6c1e-7a88-4b6f-9a49-66a4bb0a9d3e", NOW, "bench", "/com.snowplowanalytics.snowplow/tp2", None,
    "application/json", BODY, "localhost", "127.0.0.1", "Mozilla/5.0", None, ["host: localhost"] * 8, None,
)  # fmt: skip


def fill_lane(folder: Path, ready: Any) -> None:
    log = open_log(CollectSettings(log={"type": "spool"}), folder)

    async def request(count: int) -> None:
        for _ in range(count):
            await log.append(PAYLOAD)

    async def all_requests() -> None:
        await asyncio.gather(*(request(PAYLOADS // AT_ONCE) for _ in range(AT_ONCE)))

    asyncio.run(log.probe())
    ready.wait()
    began = time.process_time()
    asyncio.run(all_requests())
    print(f"    cpu per payload {1e6 * (time.process_time() - began) / PAYLOADS:>8.1f} us")
    log.close()


def fill_shared_file(folder: Path, ready: Any) -> None:
    connection = sqlite3.connect(folder / "shared.db", timeout=30, isolation_level=None)
    for setting in ("journal_mode = wal", "synchronous = full"):
        connection.execute(f"pragma {setting}")
    connection.execute("create table if not exists payloads (_offset integer primary key, record blob)")
    ready.wait()
    for _ in range(PAYLOADS // AT_ONCE):
        connection.execute("begin immediate")
        connection.executemany("insert into payloads values (null, ?)", [(encode_record(PAYLOAD),)] * AT_ONCE)
        connection.execute("commit")
    connection.close()


def rate(target: Any, processes: int) -> float:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        ready = context.Barrier(processes + 1)
        children = [context.Process(target=target, args=(Path(folder), ready)) for _ in range(processes)]
        for child in children:
            child.start()
        ready.wait()
        began = time.perf_counter()
        for child in children:
            child.join()
        return processes * (PAYLOADS // AT_ONCE) * AT_ONCE / (time.perf_counter() - began)


def main() -> None:
    one = rate(fill_lane, 1)
    two = rate(fill_lane, 2)
    shared = rate(fill_shared_file, 2)
    print(f"one process                          {one:>10,.0f} payloads/s")
    print(f"two, each with a lane                {two:>10,.0f} payloads/s   {two / one:.2f} times one")
    print(f"two, sharing one file (groups of 64) {shared:>10,.0f} payloads/s   {shared / one:.2f} times one")


if __name__ == "__main__":
    main()
