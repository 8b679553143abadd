"""Audience previews: seconds from a definition to its size, warm, beside the same question as hand-written SQL.

`bench_audience.py [PEOPLE] [EVENTS]`; the goal is a median under 0.5 s on 1,000,000 people and 20,000,000 events.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import duckdb

from catchment.audience.catalog import open_catalog
from catchment.audience.definition import parse_audience
from catchment.audience.preview import Previewer
from catchment.lake.lake import Lake
from catchment.plugin import build_plugin

PEOPLE = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
EVENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 4_000_000
ROUNDS = 7
NOW = datetime(2026, 3, 1, tzinfo=UTC)

QUESTIONS: dict[str, dict[str, Any]] = {
    "a property": {"column": "country", "is": "DE"},
    "five properties": {
        "all": [
            {"column": "country", "in": ["DE", "FR"]},
            {"column": "sessions", "gte": 2},
            {"column": "last_seen_tstamp", "within_last_days": 30},
            {"not": {"column": "converted", "is": True}},
            {"column": "engaged_time_in_s", "gt": 30},
        ]
    },
    "an event, often, lately": {"event": "add_to_cart", "count": {"gte": 2}, "within_last_days": 14},
    "an event, never": {"event": "purchase", "count": {"is": 0}},
    "a property and an event": {
        "all": [{"column": "country", "is": "DE"}, {"event": "purchase", "within_last_days": 30}]
    },
    "a sequence": {"sequence": [{"event": "add_to_cart"}, {"not": {"event": "purchase"}}], "within_days": 3},
}

PEERS = {
    "a property": "select count(*) from people where country = 'DE'",
    "an event, never": """
        select count(*) from people where person_id not in (
          select domain_userid from events where event_name = 'purchase' and domain_userid is not null)""",
}


def fill(lake: Lake) -> None:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; select setseed(0.5)")
    people = f"""
        select md5(i::varchar) as person_id, ['DE', 'FR', 'US', 'GB', null][(1 + hash(i) % 5)::int] as country,
          (1 + i % 7)::int as sessions, (i * 7919 % 600)::int as engaged_time_in_s, i % 11 = 0 as converted,
          timestamptz '2026-03-01' - interval ((hash(i + 1) % 90)::int) day as last_seen_tstamp
        from range({PEOPLE}) as rows(i)"""
    lake.overwrite("people", connection.execute(people).to_arrow_table())
    step = 2_000_000
    for first in range(0, EVENTS, step):
        events = f"""
            with told as (
              select md5('e' || i) as event_id,
                case when i % 100 < 70 then 'page_view' when i % 100 < 95 then 'page_ping'
                  when i % 100 < 98 then 'add_to_cart' else 'purchase' end as event_name,
                timestamptz '2025-12-01' + interval ((i * 7776000 // {EVENTS})::bigint) second as derived_tstamp,
                md5((hash(i) % {PEOPLE})::varchar) as domain_userid
              from range({first}, {min(first + step, EVENTS)}) as rows(i)
            )
            select *, derived_tstamp + interval 1 second as collector_tstamp,
              null::varchar as network_userid, null::varchar as user_id, null::varchar as user_ipaddress
            from told"""
        lake.append("events", connection.execute(events).to_arrow_table())


def median(ask: Callable[[], Any]) -> float:
    ask()
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ask()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        fill(lake)
        engine = build_plugin("lake/engines", {"type": "duckdb"}, place="benchmark")
        with engine.attach(lake) as session:
            backend = session.ibis()
            previewer = Previewer(backend, open_catalog(backend), NOW)
            print(f"{PEOPLE:,} people, {EVENTS:,} events; median of {ROUNDS} warm")
            print(f"{'question':<26}{'size':>10}{'preview s':>12}{'plain SQL s':>13}{'ratio':>8}")
            for title, where in QUESTIONS.items():
                audience = parse_audience({"name": "bench", "where": where}, "bench")
                ours = median(lambda audience=audience: previewer.size(audience))
                size = previewer.size(audience)
                peer = PEERS.get(title)
                beside = median(lambda peer=peer: session.query(peer).read_all()) if peer else None
                told = f"{beside:>13.3f}{ours / beside:>8.2f}" if beside else ""
                print(f"{title:<26}{size:>10,}{ours:>12.3f}{told}")


if __name__ == "__main__":
    main()
