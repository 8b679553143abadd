"""Six people of a small lake, whom every test here can tell apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from catchment.audience.definition import Audience, parse_audience
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.plugin import build_plugin
from catchment.tables import PROPENSITY_SCORES

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
TIME = pa.timestamp("us", "UTC")
PEOPLE = pa.schema(
    [
        ("person_id", pa.string()),
        ("country", pa.string()),
        ("mkt_medium", pa.string()),
        ("sessions", pa.int64()),
        ("engaged_time_in_s", pa.float64()),
        ("converted", pa.bool_()),
        ("last_seen_tstamp", TIME),
    ]
)
VIEWS = pa.schema([("person_id", pa.string()), ("page_urlpath", pa.string()), ("start_tstamp", TIME)])


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def fill(lake: Lake) -> Lake:
    people: list[tuple[Any, ...]] = [
        ("ann", "DE", None, 1, 90.0, False, ago(1)),
        ("bob", "de", "cpc", 3, 10.0, True, ago(40)),
        ("cem", "FR", "email", 1, None, False, ago(6)),
        ("dia", None, None, 2, 61.5, None, ago(8)),
        ("eve", "US", "cpc", 1, 0.0, False, ago(0)),
        (None, "DE", None, 1, 90.0, False, ago(1)),
    ]
    views: list[tuple[Any, ...]] = [
        ("ann", "/pricing", ago(1)),
        ("ann", "/pricing", ago(1)),
        ("ann", "/docs", ago(1)),
        ("bob", "/pricing", ago(40)),
        ("bob", "/pricing", ago(40)),
        ("cem", "/docs", ago(6)),
        (None, "/pricing", ago(1)),
    ]
    scores: list[tuple[Any, ...]] = [
        ("signup", "ann", "m", "1", NOW, 0.9, 10, "High"),
        ("signup", "bob", "m", "1", NOW, 0.5, 7, "Medium"),
        ("signup", "cem", "m", "1", NOW, 0.1, 2, "Low"),
        ("churn", "cem", "m", "1", NOW, 0.9, 10, "High"),
    ]
    lake.overwrite("people", table(people, PEOPLE))
    lake.overwrite("page_views", table(views, VIEWS))
    names = ("prediction", "person_id", "model_name", "model_version", "scored_at", "score", "decile", "label")
    told = [dict(zip(names, row, strict=True)) for row in scores]
    lake.overwrite("propensity_scores", pa.Table.from_pylist(told, PROPENSITY_SCORES.schema))
    return lake


def table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema)


@contextmanager
def attached(lake: Lake) -> Iterator[Session]:
    engine = build_plugin("lake/engines", {"type": "duckdb"}, place="test")
    with engine.attach(lake) as session:
        yield session


def audience(where: dict[str, Any], name: str = "a", **more: Any) -> Audience:
    return parse_audience({"name": name, "where": where, **more}, f"audiences/{name}.yml")
