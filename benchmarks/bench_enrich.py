"""Enrich: events per second on one core, from raw payloads to Arrow, beside merely parsing the same JSON.

Goal: 30,000. Counted in processor time of all threads, which what else the machine does disturbs least; the clock's is
told beside it.
"""

import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pyarrow as pa

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import open_pipeline
from catchment.project import examples_folder
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from catchment.simulate.payloads import TP2, draw_deliveries
from catchment.simulate.run import draw_life
from catchment.tables import OFFSET, PAYLOADS

EVENTS = 20_000
GOAL = 30_000
ROUNDS = 5
"""Their median counts: the machine may have had something else to do in one."""
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def draw_payloads() -> tuple[pa.Table, int]:
    rows: list[dict[str, object]] = []
    events = visitor = 0
    while events < EVENTS:
        life = draw_life(1, visitor, NOW)
        visitor += 1
        for delivery in draw_deliveries(Random(visitor), life.visitor, life.visits):
            events += delivery.events
            rows.append(
                {
                    OFFSET: len(rows),
                    "payload_id": str(len(rows)), "collector_tstamp": NOW, "collector": "bench",
                    "path": TP2,
                    "content_type": "application/json", "body": delivery.body, "ip_address": life.visitor.address,
                    "useragent": life.visitor.device.useragent, "headers": [],
                }
            )  # fmt: skip
    return pa.Table.from_pylist(rows, schema=PAYLOADS.schema), events


def main() -> None:
    payloads, events = draw_payloads()
    folder = Path(tempfile.mkdtemp())
    resolver = open_resolver(SchemaSettings(registries=[
        {"type": "folder", "path": str(examples_folder() / "saas/schemas")}, {"type": "embedded"},
    ]), folder)  # fmt: skip
    pipeline = open_pipeline(EnrichSettings(), resolver, folder)
    pipeline.enrich(payloads.slice(0, 100), NOW)
    began = time.process_time()
    for body in payloads["body"].to_pylist():
        json.loads(body)
    parsed = time.process_time() - began
    waits, spent = [], []
    for _ in range(ROUNDS):
        began, before = time.perf_counter(), time.process_time()
        enriched = pipeline.enrich(payloads, NOW)
        waits.append(time.perf_counter() - began)
        spent.append(time.process_time() - before)
        assert enriched.received == events
    took = statistics.median(spent)
    print(f"events                            {events:>10,}")
    print(f"enriched per second of processor  {events / took:>10,.0f}   goal {GOAL:,}")
    print(f"enriched per second by the clock  {events / statistics.median(waits):>10,.0f}")
    print(f"times as long as json.loads       {took / parsed:>10.1f}")


if __name__ == "__main__":
    main()
