"""A project whose lake holds simulated visitors: from payloads straight through enrichment, without HTTP."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from random import Random

import pyarrow as pa

from catchment.enrich.pipeline import open_pipeline
from catchment.lake.batch import Outcome, commit_batch
from catchment.project import Project
from catchment.schema.resolver import open_resolver
from catchment.simulate.payloads import TP2, draw_deliveries
from catchment.simulate.run import TRUTH_FILE, Life, draw_life
from catchment.simulate.truth import write_truth
from catchment.tables import OFFSET, PAYLOADS

PAYLOADS_PER_BATCH = 20_000


def simulate_lake(folder: Path, visitors: int, seed: int, now: datetime) -> Project:
    """Make a project of the example, fill its lake with the visitors' events, and write the truth beside it."""
    project = Project.init(folder)
    pipeline = open_pipeline(
        project.settings.enrich, open_resolver(project.settings.schemas, project.folder), project.folder
    )
    outcomes = []

    def lives() -> Iterator[tuple[int, Life]]:
        for number in range(visitors):
            life = draw_life(seed, number, now)
            if not life.visitor.is_bot:
                outcomes.append(life.outcome)
            yield number, life

    for payloads in draw_payloads(lives(), seed, now):
        done = pipeline.enrich(payloads, now)
        commit_batch(project.lake, "simulated", payloads, Outcome(done.events, done.failed), now=now)
    write_truth(project.folder / TRUTH_FILE, outcomes)
    return project


def draw_payloads(lives: Iterator[tuple[int, Life]], seed: int, now: datetime) -> Iterator[pa.Table]:
    """Give what the collector would have logged, in bounded batches."""
    rows: list[dict[str, object]] = []
    offset = 0
    for number, life in lives:
        for delivery in draw_deliveries(Random(f"{seed}/{number}/wire"), life.visitor, life.visits):
            rows.append(
                {
                    OFFSET: offset,
                    "payload_id": f"{seed}-{offset}",
                    "collector_tstamp": now,
                    "collector": "simulated",
                    "path": TP2,
                    "content_type": "application/json",
                    "body": delivery.body,
                    "ip_address": life.visitor.address,
                    "useragent": life.visitor.device.useragent,
                    "network_userid": life.visitor.network_userid,
                    "headers": [],
                }
            )
            offset += 1
        if len(rows) >= PAYLOADS_PER_BATCH:
            yield pa.Table.from_pylist(rows, schema=PAYLOADS.schema)
            rows = []
    if rows:
        yield pa.Table.from_pylist(rows, schema=PAYLOADS.schema)
