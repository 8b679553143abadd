"""Lake: what streaming in small commits costs beside writing the same rows once, and what upkeep gives back.

    python benchmarks/bench_lake.py [COMMITS]

Rows come as the loop commits them, a hundred at a time. Limits: the last tenth of the commits takes at most twice the
first; a query over the streamed table after upkeep at most 1.5 times that over the rows written once. The first query
of a session also reads the Delta log, which has an entry for each commit of a day; it is told beside.
"""

import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from catchment.lake import LakeSettings, UpkeepSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.lake.upkeep import tend
from catchment.project.current import UPKEEP_COMMITS
from catchment.tables import EVENTS, OFFSET

COMMITS = 600
ROWS = 100
ROUNDS = 11
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
"""Today, so that the day goes on while it is streamed and is over when upkeep comes at the end."""
QUERIES = {
    "count by event": "select event_name, count(*) as n from events group by event_name",
    "one event since": "select count(distinct domain_userid) as n from events where event_name = 'link_click' "
    f"and collector_tstamp >= timestamp '{START + timedelta(hours=12):%Y-%m-%d %H:%M:%S}+00'",
}


def slice_of(number: int, commits: int) -> pa.Table:
    moment = START + timedelta(days=1) * number / commits
    rows = [
        {
            "event_id": f"{number}-{row}",
            "collector_tstamp": moment,
            "derived_tstamp": moment,
            "load_tstamp": moment,
            "event_name": ("page_view", "page_ping", "page_ping", "link_click")[row % 4],
            "domain_userid": f"visitor-{(number * ROWS + row) % 9973}",
            "page_url": f"https://acme.example/page/{row % 40}",
            OFFSET: number,
        }
        for row in range(ROWS)
    ]
    return pa.Table.from_pylist(rows, schema=EVENTS.schema.append(pa.field(OFFSET, pa.int64())))


def stream(lake: Lake, slices: list[pa.Table]) -> list[float]:
    """Give the processor time of each commit; upkeep runs in between, as the loop has it do, and is not counted."""
    waits = []
    for number, rows in enumerate(slices):
        began = time.process_time()
        lake.append("events", rows, app_id="log", offset=number)
        waits.append(time.process_time() - began)
        if number % UPKEEP_COMMITS == UPKEEP_COMMITS - 1:
            tend(lake, UpkeepSettings(), START)
    return waits


def open_and_ask(lake: Lake, folder: Path) -> float:
    """Give the time from nothing to the first answer, which reads the whole Delta log."""
    began = time.perf_counter()
    with open_engine(LakeSettings(), folder).attach(lake) as session:
        session.query(next(iter(QUERIES.values()))).read_all()
    return time.perf_counter() - began


def ask(lakes: dict[str, Lake], folder: Path) -> dict[str, dict[str, float]]:
    """Ask each lake in turn, so that whatever else the machine does slows all of them; give the medians."""
    waits: dict[str, dict[str, list[float]]] = {lake: {query: [] for query in QUERIES} for lake in lakes}
    with ExitStack() as stack:
        sessions = {
            name: stack.enter_context(open_engine(LakeSettings(), folder).attach(lake)) for name, lake in lakes.items()
        }
        for _ in range(ROUNDS):
            for query, sql in QUERIES.items():
                for lake, session in sessions.items():
                    began = time.perf_counter()
                    session.query(sql).read_all()
                    waits[lake][query].append(time.perf_counter() - began)
    return {
        lake: {query: statistics.median(rounds) for query, rounds in asked.items()} for lake, asked in waits.items()
    }


def main() -> None:
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else COMMITS
    folder = Path(tempfile.mkdtemp())
    slices = [slice_of(number, commits) for number in range(commits)]
    once, streamed = Lake(str(folder / "once")), Lake(str(folder / "streamed"))
    once.append("events", pa.concat_tables(slices))
    waits = stream(streamed, slices)
    tenth = max(1, commits // 10)
    first, last = statistics.median(waits[:tenth]), statistics.median(waits[-tenth:])
    print(f"{'':42}{'ms':>8}{'ratio':>8}{'limit':>8}")
    print(f"{f'commit, first {tenth} of {commits:,}':42}{first * 1e3:>8.1f}{1:>8.2f}")
    print(f"{f'commit, last {tenth}':42}{last * 1e3:>8.1f}{last / first:>8.2f}{2:>8.2f}")
    lakes = {"written once": once, "streamed": streamed}
    before = ask(lakes, folder)
    tend(streamed, UpkeepSettings(), START + timedelta(days=3))
    after = ask(lakes, folder)
    for name in QUERIES:
        print(f"{f'{name}: written once':42}{after['written once'][name] * 1e3:>8.1f}{1:>8.2f}")
        for state, times, limit in (("streamed", before, ""), ("after upkeep", after, "1.50")):
            took, base = times["streamed"][name], times["written once"][name]
            print(f"{f'{name}: {state}':42}{took * 1e3:>8.1f}{took / base:>8.2f}{limit:>8}")
    firsts = {
        name: statistics.median(open_and_ask(lake, folder) for _ in range(ROUNDS)) for name, lake in lakes.items()
    }
    base = firsts["written once"]
    for name, took in firsts.items():
        print(f"{f'session and first answer: {name}':42}{took * 1e3:>8.1f}{took / base:>8.2f}")
    files = len(streamed.delta("events").file_uris())
    print(f"{commits * ROWS:,} rows in {files} files after upkeep")


if __name__ == "__main__":
    main()
