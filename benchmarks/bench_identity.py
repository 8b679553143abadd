"""Identity: what it costs to form people of millions of edges, anew and for what is new, beside other ways.

The whole job: edges merged into the lake; people with limits, conflicts, merges and history; all of it written.
The peers, on the same edges, find connected components and do nothing else: networkx, and label propagation in SQL, the
way of dbt packages for stitching ids (a pass for each step until nothing changes).

python benchmarks/bench_identity.py                        # 500,000 edges
python benchmarks/bench_identity.py --edges 5000000
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.lake import Lake
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.orders import Orders
from catchment.model.identity.rules import PairRules
from catchment.model.identity.update import update_identity

NEWS = 10_000
THREADS = 2
GB = 1024**2  # of the kilobytes that the kernel counts in
WEEKS = 8
DRAW = """
create or replace table identity_news as
with drawn as (
  select
    n, hash(n) as chance, (n * 7919) % $users as user_number,
    timestamptz '2026-01-05 00:00:00+00' + to_seconds(cast(n * 604800.0 * $weeks / $edges as bigint)) as seen_tstamp
  from range($first, $last) as numbers(n)
),
pairs as (
  select
    case when n % 5 = 4 then 'email' else 'user_id' end as kind_a,
    case when n % 5 = 4 then md5('e' || user_number) else 'u' || user_number end as value_a,
    case when n % 5 = 3 then 'email' else 'domain_userid' end as kind_b,
    case
      when n % 5 = 3 then md5('e' || user_number)
      when chance % 100 = 0 then md5('c' || (n // 2)) -- somebody else's device
      else md5('c' || n)
    end as value_b,
    seen_tstamp, n
  from drawn
),
seen as (
  select * from pairs
  union all
  -- every third cookie had come before, and was nobody then
  select '', '', kind_b, value_b, seen_tstamp - interval 1 day, n
  from pairs where n % 3 = 0 and kind_b = 'domain_userid'
)
select
  kind_a, value_a, kind_b, value_b, cast(date_trunc('week', cast(seen_tstamp as date)) as date) as week,
  seen_tstamp as first_seen_tstamp, seen_tstamp as last_seen_tstamp, 1 as weekdays, 'e' || n as first_event_id
from seen
"""
PAIRS = "from identity_news where kind_a <> ''"
STEP = """
create or replace table labels_next as
select value, min(label) as label from (
  select value, label from labels
  union all
  select edges.value_a, labels.label from edges inner join labels on labels.value = edges.value_b
  union all
  select edges.value_b, labels.label from edges inner join labels on labels.value = edges.value_a
) group by value
"""


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    spill = str(Path(lake.uri) / "spill")
    connection = duckdb.connect(config={"threads": THREADS, "memory_limit": "2GB", "temp_directory": spill})
    connection.execute("set enable_progress_bar = false")  # what is printed is read
    load_delta(connection)
    view_tables(connection, lake)
    return connection


def draw(connection: duckdb.DuckDBPyConnection, first: int, last: int, edges: int) -> None:
    """Draw edges of a history of so many, spread over its weeks; what comes after it is of the week that follows."""
    values = {"first": first, "last": last, "users": max(1, edges // 3), "weeks": WEEKS, "edges": edges}
    connection.execute(DRAW, values)


def ours(folder: str, edges: int) -> dict[str, float]:
    lake = Lake(folder)
    orders = Orders.of(IdentitySettings(), PairRules())
    told = {}
    for name, first, last in (("anew", 0, edges), ("news", edges, edges + NEWS)):
        with connect(lake) as connection:
            draw(connection, first, last, edges)
            began, worked = time.perf_counter(), time.process_time()
            update_identity(connection.cursor(), lake, orders, is_full=name == "anew")
            told[name] = time.perf_counter() - began
            told[f"{name}_processor"] = time.process_time() - worked
            told["memory_gb"] = max(told.get("memory_gb", 0), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GB)
    for table in ("identity_identifiers", "identity_merges", "identity_conflicts", "identity_history"):
        told[table] = lake.delta(table).count()
    return told


def by_networkx(folder: str, edges: int) -> dict[str, float]:
    import networkx

    with connect(Lake(folder)) as connection:
        draw(connection, 0, edges, edges)
        began = time.perf_counter()
        graph = networkx.Graph(
            connection.execute("select value_a, value_b from identity_news where kind_a <> ''").fetchall()
        )
        people = sum(1 for _ in networkx.connected_components(graph))
    return _peer(began, people)


def by_sql(folder: str, edges: int) -> dict[str, float]:
    with connect(Lake(folder)) as connection:
        draw(connection, 0, edges, edges)
        began = time.perf_counter()
        connection.execute(
            "create table edges as select distinct value_a, value_b from identity_news where kind_a <> ''"
        )
        connection.execute(
            "create table labels as select value, value as label"
            " from (select value_a from edges union select value_b from edges) as names(value)"
        )
        changed = 1
        while changed:
            connection.execute(STEP)
            changed = connection.execute(
                "select count(*) from labels inner join labels_next as n using (value) where labels.label <> n.label"
            ).fetchall()[0][0]
            connection.execute("create or replace table labels as select * from labels_next")
        people = connection.execute("select count(distinct label) from labels").fetchall()[0][0]
    return _peer(began, people)


def _peer(began: float, people: int) -> dict[str, float]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GB
    return {"anew": time.perf_counter() - began, "memory_gb": peak, "components": people}


def alone(name: str, edges: int) -> dict[str, float]:
    """Run one way in a process of its own, so that its peak memory is its own."""
    with tempfile.TemporaryDirectory() as folder:
        code = f"import json; from benchmarks.bench_identity import *; print(json.dumps({name}({folder!r}, {edges})))"
        done = subprocess.run(
            [sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[1], capture_output=True, text=True
        )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, default=500_000)
    parser.add_argument("--peers", default="by_sql,by_networkx", help="which peers to run, '' for none")
    chosen = parser.parse_args()
    mine = alone("ours", chosen.edges)
    print(f"{chosen.edges:,} edges, {THREADS} threads")
    print(f"{'':<26} {'anew, s':>9} {'peak, GB':>9} {'10,000 new, s':>14}")
    print(f"{'people, history, all':<26} {mine['anew']:>9.1f} {mine['memory_gb']:>9.2f} {mine['news']:>14.2f}")
    for name in filter(None, chosen.peers.split(",")):
        peer = alone(name, chosen.edges)
        label = name.removeprefix("by_") + ", components only"
        print(f"{label:<26} {peer['anew']:>9.1f} {peer['memory_gb']:>9.2f} {'as anew':>14}")
    anew, news = mine["anew_processor"], mine["news_processor"]
    print(f"processor time: all anew {anew:.1f} s, the news {news:.2f} s, which is {news / anew:.3f} of it")
    print(", ".join(f"{name} {mine[name]:,}" for name in mine if name.startswith("identity")))


if __name__ == "__main__":
    main()
