"""Model: what 10,000 new events cost on a short history and on one ten times as long; a full build of many.

Seconds are those of the processor, which other work on the machine disturbs least.

python benchmarks/bench_model.py                      # 50,000 and 500,000 events
python benchmarks/bench_model.py --short 1000000 --factor 20 --full 10000000
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from catchment.event import atomic_schema
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.build import build

LIMIT = 1.5
NEW_EVENTS = 10_000
ROUNDS = 3
EVENTS_PER_SESSION = 10
RETURNING = 40
"""Of a hundred sessions so many are of a cookie that was seen before: mostly lately, some at any time."""
PER_DAY = 50_000
"""A longer history is more days, not busier ones: it is the same site, years later."""
LAST_DAY = datetime(2026, 6, 30, tzinfo=UTC)
PAGE = "contexts_com_snowplowanalytics_snowplow_web_page_1"
SETTINGS = ModelSettings(conversions=[{"name": "signed_up", "condition": "event_name = 'sign_up'"}])
DRAW = """
with sessions as (
    select s, case
        when hash(s) % 100 >= $returning then s
        else s - cast(floor(exp(ln(s + 1) * (hash(s + 0.5) % 1000000) / 1000000.0)) as bigint)
    end as cookie
    from range($first // $per_session, ($last - 1) // $per_session + 1) as numbers(s)
)
select
    'e' || n as event_id,
    case when n % 10 = 0 then 'page_view' when n % 97 = 3 then 'sign_up' when n % 10 = 7 then 'link_click'
        else 'page_ping' end as event_name,
    'web' as platform, 'acme' as app_id,
    md5('c' || cookie) as domain_userid,
    md5('s' || s) as domain_sessionid,
    cast(1 + (s - cookie) % 7 as int) as domain_sessionidx,
    case when hash(cookie // 3) % 10 = 0 then 'u' || (cookie // 3) end as user_id,
    $start + to_microseconds(cast(n * $step_us as bigint)) as at,
    'https://acme.com/p/' || (n % 50) as page_url, 'acme.com' as page_urlhost, '/p/' || (n % 50) as page_urlpath,
    'Page ' || (n % 50) as page_title,
    case when n % 3 = 0 then 'google' end as mkt_source, case when n % 3 = 0 then 'cpc' end as mkt_medium,
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/137.0' as useragent,
    1200 as doc_width, 4000 as doc_height, 1200 as br_viewwidth, 900 as br_viewheight,
    cast(n % 3000 as int) as pp_yoffset_max, 'DE' as geo_country, 'de-DE' as br_lang,
    md5('p' || (n // 10)) as view_id
from range($first, $last) as numbers(n)
inner join sessions on sessions.s = n // $per_session
"""


def draw_events(first: int, last: int, start: datetime) -> pa.Table:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    values = {
        "first": first, "last": last, "start": start, "step_us": 86_400_000_000 / PER_DAY,
        "per_session": EVENTS_PER_SESSION, "returning": RETURNING,
    }  # fmt: skip
    drawn = connection.execute(DRAW, values).to_arrow_table()
    moments = dict.fromkeys(("collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "load_tstamp"), drawn["at"])
    columns = []
    schema = atomic_schema()
    for field in schema:
        source = moments.get(field.name, drawn[field.name] if field.name in drawn.column_names else None)
        columns.append(pa.nulls(drawn.num_rows, field.type) if source is None else source.cast(field.type))
    table = pa.table(columns, schema=schema)
    views = pa.StructArray.from_arrays([drawn["view_id"].combine_chunks()], names=["id"])
    offsets = pa.array(range(drawn.num_rows + 1), pa.int32())
    return table.append_column(PAGE, pa.ListArray.from_arrays(offsets, views))


def fill(lake: Lake, events: int) -> datetime:
    """Append a history in daily-like batches; give when it begins."""
    start = LAST_DAY - timedelta(days=events / PER_DAY)
    for first in range(0, events, 500_000):
        lake.append("events", draw_events(first, min(events, first + 500_000), start))
    return start


def rebuild(folder: Path, lake: Lake) -> float:
    began = time.process_time()
    build(lake, open_engine(LakeSettings(), folder), SETTINGS, folder)
    return time.process_time() - began


def measure_news(events: int) -> tuple[float, float, int]:
    """Give the seconds of a full build, the median of builds over new events, and bytes written by the last."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake.open(LakeSettings(), folder)
        start = fill(lake, events)
        whole = rebuild(folder, lake)
        rounds = []
        for number in range(ROUNDS):
            first = events + number * NEW_EVENTS - NEW_EVENTS // 20
            lake.append("events", draw_events(first, first + NEW_EVENTS, start))
            before = set((folder / "lake").rglob("*.parquet"))
            rounds.append(rebuild(folder, lake))
        written = sum(path.stat().st_size for path in set((folder / "lake").rglob("*.parquet")) - before)
        return whole, statistics.median(rounds), written


def measure_full(events: int) -> None:
    """Build everything in a process of its own and print its seconds and its peak memory."""
    code = f"from benchmarks.bench_model import full; full({events})"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1])


def full(events: int) -> None:
    import resource

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = Lake.open(LakeSettings(), folder)
        fill(lake, events)
        took = rebuild(folder, lake)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(f"full build of {events:>12,} events: {took:8.1f} s   peak memory {peak:5.2f} GB (limit 6)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=50_000)
    parser.add_argument("--factor", type=int, default=10)
    parser.add_argument("--full", type=int, default=0)
    chosen = parser.parse_args()
    if chosen.full:
        measure_full(chosen.full)
    rows = [(events, *measure_news(events)) for events in (chosen.short, chosen.short * chosen.factor)]
    print(f"{'history':>12} {'all anew, s':>12} {'10,000 new, s':>14} {'written, MB':>12}")
    for events, whole, news, written in rows:
        print(f"{events:>12,} {whole:>12.1f} {news:>14.2f} {written / 1e6:>12.1f}")
    print(f"ratio {rows[1][2] / rows[0][2]:.2f} (limit {LIMIT})")


if __name__ == "__main__":
    main()
