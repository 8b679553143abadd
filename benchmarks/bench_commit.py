"""From raw payloads to committed Delta: processor time per event, in slices as the loop commits them.

    python benchmarks/bench_commit.py [EVENTS [PROCESSES]]

Goal: 20,000 events a second on one core, so 50 microseconds of it for each event, however many the lake holds:
100000, 1000000 and 5000000 are worth comparing. The last tenth of the commits stands beside the first. With more
PROCESSES (`enrich.processes`) the same slices are enriched side by side and committed in order.
"""

import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from bench_enrich import NOW, draw_payloads

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import open_pipeline
from catchment.enrich.workers import Workers
from catchment.lake.batch import Outcome, commit_batch
from catchment.lake.lake import Lake
from catchment.project import Project
from catchment.tables import OFFSET

EVENTS = 100_000
GOAL = 20_000


def spent_s() -> float:
    """Give the processor time of this process and of those that enrich for it."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime of proc(5)
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def rounds(payloads: pa.Table, wanted: int, size: int) -> Iterator[pa.Table]:
    """Give slices of one log that goes on, the same payloads again under later offsets."""
    first = 0
    while True:
        offsets = pa.array(range(first, first + payloads.num_rows), pa.int64())
        log = payloads.set_column(payloads.column_names.index(OFFSET), OFFSET, offsets)
        for start in range(0, log.num_rows, size):
            if first + start >= wanted:
                return
            yield log.slice(start, size)
        first += log.num_rows


def main() -> None:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    payloads, events = draw_payloads()
    folder = Path(tempfile.mkdtemp())
    project = Project.init(folder / "bench")
    settings = EnrichSettings(enrichments=project.settings.enrich.enrichments, processes=processes)
    pipeline = open_pipeline(settings, project.resolver, project.folder)
    pipeline.enrich(payloads.slice(0, 100), NOW)
    lake, costs, total = Lake(str(folder / "lake")), [], 0
    slices = rounds(payloads, wanted * payloads.num_rows // events, settings.batch_payloads)
    with Workers(settings, project.settings.schemas, project.folder) as workers:
        if processes > 1:  # they start once, and that is not what is measured
            few = [(None, payloads.slice(0, 50))] * 2 * processes
            list(workers.enrich(few, lambda: NOW))
        began, before = time.perf_counter(), spent_s()
        side_by_side = workers.enrich(((None, part) for part in slices), lambda: NOW)
        alone = ((None, part, pipeline.enrich(part, NOW)) for part in slices)
        for _, part, done in side_by_side if processes > 1 else alone:
            began_commit = time.process_time()
            batch = commit_batch(lake, "log", part, Outcome(done.events, done.failed))
            costs.append((time.process_time() - began_commit) / batch.received)
            total += batch.received
        took, spent = time.perf_counter() - began, spent_s() - before
    tenth = max(1, len(costs) // 10)
    first, last = (sum(part) / tenth * 1e6 for part in (costs[:tenth], costs[-tenth:]))
    stored = lake.delta("events").count() + lake.delta("failed_events").count()
    assert stored == total, f"{total:,} events came and {stored:,} rows stand"
    print(f"events, in commits                  {total:>10,}{len(costs):>8,}")
    print(f"processor time per event, us        {spent / total * 1e6:>10.1f}   goal {1e6 / GOAL:.0f}")
    print(f"of it for the commit, us            {sum(costs) / len(costs) * 1e6:>10.1f}")
    print(f"the same, last tenth of the commits {last:>10.1f}   of the first tenth {last / first:.2f}")
    print(f"committed per second by the clock   {total / took:>10,.0f}   with {processes} process(es)")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
