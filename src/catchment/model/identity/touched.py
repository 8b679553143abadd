"""What an update leaves for the models after it: the identifiers whose person may be another, and their edges.

They are whole clusters, so whatever follows from identifiers and edges of one person follows from these rows alone.
"""

import duckdb

from catchment.event import TIMESTAMP
from catchment.tables import IDENTITY_EDGES, IDENTITY_IDENTIFIERS
from catchment.tables.table import STRING, columns

PEOPLE, EDGES = "identity_touched", "identity_touched_edges"
WHOLE = {PEOPLE: IDENTITY_IDENTIFIERS.name, EDGES: IDENTITY_EDGES.name}
ROWS = {
    PEOPLE: "select kind, value, person_id, first_seen_tstamp from people_found",
    EDGES: """
select
  a.kind as kind_a, a.value as value_a, b.kind as kind_b, b.value as value_b,
  min(seen.first_seen_tstamp) as first_seen_tstamp, max(seen.last_seen_tstamp) as last_seen_tstamp
from sightings as seen
inner join nodes as a on a.number = seen.a
inner join nodes as b on b.number = seen.b
group by a.kind, a.value, b.kind, b.value
""",
}
SCHEMAS = {
    PEOPLE: columns(kind=STRING, value=STRING, person_id=STRING, first_seen_tstamp=TIMESTAMP),
    EDGES: columns(
        **dict.fromkeys(("kind_a", "value_a", "kind_b", "value_b"), STRING),
        first_seen_tstamp=TIMESTAMP,
        last_seen_tstamp=TIMESTAMP,
    ),
}


def show_touched(cursor: duckdb.DuckDBPyConnection) -> None:
    """Keep what was resolved as tables that every cursor of the connection sees."""
    for name, rows in ROWS.items():
        _show(cursor, name, rows)


def show_nobody(cursor: duckdb.DuckDBPyConnection) -> None:
    """Say that nobody is touched."""
    for name, schema in SCHEMAS.items():
        cursor.register("nobody", schema.empty_table())
        _show(cursor, name, "select * from nobody")
        cursor.unregister("nobody")


def show_whole(cursor: duckdb.DuckDBPyConnection) -> None:
    """Say that everybody may be touched: the names stand for the whole tables."""
    for name, table in WHOLE.items():
        cursor.execute(f"create or replace view {name} as select * from {table}")


def _show(cursor: duckdb.DuckDBPyConnection, name: str, rows: str) -> None:
    cursor.execute(f"create or replace table {name}_rows as {rows}")
    cursor.execute(f"create or replace view {name} as select * from {name}_rows")
