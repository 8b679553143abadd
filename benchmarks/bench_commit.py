"""From raw payloads to committed Delta: events per second, in slices as the loop commits them; goal 20,000.

python benchmarks/bench_commit.py [EVENTS]
"""

import sys
import tempfile
import time
from pathlib import Path

from bench_enrich import NOW, draw_payloads

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import open_pipeline
from catchment.lake.batch import commit_batch
from catchment.lake.lake import Lake
from catchment.project import examples_folder
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from catchment.tables import OFFSET

EVENTS = 100_000
SLICE_PAYLOADS = 4_000
GOAL = 20_000


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    payloads, _ = draw_payloads()
    folder = Path(tempfile.mkdtemp())
    registries = [{"type": "folder", "path": str(examples_folder() / "saas/schemas")}, {"type": "embedded"}]
    pipeline = open_pipeline(EnrichSettings(), open_resolver(SchemaSettings(registries=registries), folder), folder)
    pipeline.enrich(payloads.slice(0, 100), NOW)
    lake, committed, spent = Lake(str(folder / "lake")), 0, {"enrich": 0.0, "commit": 0.0}
    while committed < wanted:
        log_id = f"log-{committed}"  # each round is a log of its own, so nothing is left out as held before
        for start in range(0, payloads.num_rows, SLICE_PAYLOADS):
            part = payloads.slice(start, SLICE_PAYLOADS)
            began = time.perf_counter()
            done = pipeline.enrich(part, NOW)
            enriched = time.perf_counter()
            batch = commit_batch(lake, log_id, part, done.events, done.failed)
            spent["enrich"] += enriched - began
            spent["commit"] += time.perf_counter() - enriched
            committed += batch.received
            assert batch.last_offset == part[OFFSET][-1].as_py()
    total = sum(spent.values())
    print(f"events                     {committed:>10,}")
    print(f"committed per second       {committed / total:>10,.0f}   of the goal {committed / total / GOAL:.0%}")
    print(f"of that time, enriching    {spent['enrich'] / total:>10.0%}")
    print(f"of that time, committing   {spent['commit'] / total:>10.0%}")


if __name__ == "__main__":
    main()
