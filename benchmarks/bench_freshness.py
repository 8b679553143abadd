"""How long after the collector's answer an event is readable in the lake; the limit is 5 s."""

import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from catchment.demo import serving_collector
from catchment.project import Project
from catchment.simulate.deliver import deliver
from catchment.simulate.payloads import draw_deliveries
from catchment.simulate.run import draw_life

VISITORS = 40
LIMIT_S = 5.0


def main() -> None:
    project = Project.init(Path(tempfile.mkdtemp()) / "bench")
    waits = []
    with serving_collector(project):
        for number in range(VISITORS):
            life = draw_life(1, number, datetime.now(UTC))
            list(deliver(draw_deliveries(Random(number), life.visitor, life.visits), project.collector_url))
            answered = time.perf_counter()
            time.sleep(project.settings.enrich.interval_s / 2)  # the loop looks in on average half an interval later
            project.enrich()
            project.lake.version("events")
            waits.append(time.perf_counter() - answered)
    print(f"p50 {statistics.median(waits):.2f} s   worst {max(waits):.2f} s   of the limit {max(waits) / LIMIT_S:.0%}")


if __name__ == "__main__":
    main()
