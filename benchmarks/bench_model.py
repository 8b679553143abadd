"""Model: a full build, and what 10,000 new events cost on a short history and on one many times as long.

A longer history is more days of the same site. Of a hundred sessions, sixty are of a new cookie; the others are of one
that was seen before: a gap of one session is as likely as one ten times as long, up to half a year. So on a history of
10 million events about 70 of the 1,000 new sessions are of cookies that were not seen for a week.

With --told each new cookie says what it consents to, and of each visit a trait is kept.

Seconds are those of the processor, which other work on the machine disturbs least. The first build after a full one
cuts the files that it touches into smaller ones, which the others find: their median is told.

python benchmarks/bench_model.py                      # 50,000 and 500,000 events
python benchmarks/bench_model.py --short 1000000 --factor 20
python benchmarks/bench_model.py --short 1000000 --factor 20 --told
"""

import argparse
import json
import resource
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
MEMORY_LIMIT_GB = 6
NEW_EVENTS = 10_000
ROUNDS = 4
EVENTS_PER_SESSION = 10
RETURNING = 40
PER_DAY = 50_000
REMEMBERED_DAYS = 180
LAST_DAY = datetime(2026, 6, 30, tzinfo=UTC)
PAGE = "contexts_com_snowplowanalytics_snowplow_web_page_1"
CONSENT = "unstruct_event_com_snowplowanalytics_snowplow_consent_preferences_1"
SETTINGS = ModelSettings(conversions=[{"name": "signed_up", "condition": "event_name = 'sign_up'"}])
TOLD = ModelSettings(conversions=SETTINGS.conversions, traits={"campaign": "mkt_source"})
DRAW = """
with sessions as (
    select s, case
        when hash(s) % 100 >= $returning then s
        else s - cast(floor(exp(ln(least(s + 1, $remembered)) * (hash(s + 0.5) % 1000000) / 1000000.0)) as bigint)
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
    md5('p' || (n // 10)) as view_id,
    case when n % 10 = 1 and cookie = s then {
        'event_type': case when s % 3 = 0 then 'deny_all' else 'allow_all' end, 'basis_for_processing': 'consent',
        'consent_version': '1', 'consent_scopes': ['ads', 'mail']
    } end as consent
from range($first, $last) as numbers(n)
inner join sessions on sessions.s = n // $per_session
"""


def draw_events(first: int, last: int, start: datetime, *, told: bool = False) -> pa.Table:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    values = {
        "first": first, "last": last, "start": start, "step_us": 86_400_000_000 / PER_DAY,
        "per_session": EVENTS_PER_SESSION, "returning": RETURNING,
        "remembered": REMEMBERED_DAYS * PER_DAY // EVENTS_PER_SESSION,
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
    table = table.append_column(PAGE, pa.ListArray.from_arrays(offsets, views))
    return table.append_column(CONSENT, drawn["consent"]) if told else table


def fill(lake: Lake, events: int, *, told: bool = False) -> datetime:
    """Append a history in daily-like batches; give when it begins."""
    start = LAST_DAY - timedelta(days=events / PER_DAY)
    for first in range(0, events, 500_000):
        lake.append("events", draw_events(first, min(events, first + 500_000), start, told=told))
    return start


def rebuild(folder: Path, lake: Lake, settings: ModelSettings = SETTINGS) -> float:
    began = time.process_time()
    build(lake, open_engine(LakeSettings(), folder), settings, folder)
    return time.process_time() - began


def measure(events: int, folder: Path, *, told: bool) -> dict[str, float]:
    """Build a history anew, then what is new four times, and tell what both cost."""
    lake = Lake.open(LakeSettings(), folder)
    start, settings = fill(lake, events, told=told), TOLD if told else SETTINGS
    began = time.monotonic()
    whole, took = rebuild(folder, lake, settings), time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    rounds = []
    for number in range(ROUNDS):
        first = events + number * NEW_EVENTS - NEW_EVENTS // 20
        lake.append("events", draw_events(first, first + NEW_EVENTS, start, told=told))
        before = set((folder / "lake").rglob("*.parquet"))
        rounds.append(rebuild(folder, lake, settings))
    written = sum(path.stat().st_size for path in set((folder / "lake").rglob("*.parquet")) - before)
    news = statistics.median(rounds[1:])
    return {"whole": whole, "took": took, "peak": peak, "first": rounds[0], "news": news, "written": written / 1e6}


def measured_alone(events: int, *, told: bool) -> dict[str, float]:
    """Measure in a process of its own, whose memory is nobody else's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--alone", str(events), "--folder", folder, *(["--told"] if told else [])]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return dict(json.loads(told.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", type=int, default=50_000, help="events of the shorter history")
    parser.add_argument("--factor", type=int, default=10, help="how many times as long the longer one is")
    parser.add_argument("--told", action="store_true", help="with consents and traits")
    parser.add_argument("--alone", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.alone:
        print(json.dumps(measure(chosen.alone, chosen.folder, told=chosen.told)))
        return
    rows = {events: measured_alone(events, told=chosen.told) for events in (chosen.short, chosen.short * chosen.factor)}
    heads = f"{'history':>12} {'all anew, s':>12} {'elapsed, s':>11} {'peak, GB':>9}"
    print(f"{heads} {'first':>6} {'10,000 new, s':>14} {'MB':>6}")
    for events, row in rows.items():
        print(
            f"{events:>12,} {row['whole']:>12.1f} {row['took']:>11.1f} {row['peak']:>9.2f} {row['first']:>6.1f} "
            f"{row['news']:>14.2f} {row['written']:>6.1f}"
        )
    short, long = rows.values()
    print(f"ratio {long['news'] / short['news']:.2f} (limit {LIMIT}), peak memory limit {MEMORY_LIMIT_GB} GB")


if __name__ == "__main__":
    main()
