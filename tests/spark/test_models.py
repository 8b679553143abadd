"""The models on a real Spark: the same files over the same events give the rows that DuckDB gives."""

import math
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.model import ModelSettings
from catchment.model.plan import PROJECT, plan_build
from catchment.model.workplace import lay_out
from catchment.observe import say_nothing
from tests.model.conftest import Built, append_and_build
from tests.model.test_purity import SETTINGS, draw_history
from tests.spark.conftest import Spark

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
TRAITS = """
traits:
  views_lately: {count: true, where: "event_name = 'page_view'", within_days: 3}
  last_title: {last: page_title}
  usual_title: {most_frequent: page_title}
"""
NOTHING = pa.schema([("domain_userid", pa.string()), ("user_id", pa.string()), ("person_id", pa.string())])
ALL_DAYS = pa.schema([("first_day", pa.date32()), ("last_day", pa.date32())])


def lay_before(told: Built, spark: Spark) -> None:
    """Show Spark what stands before a full build; people are found by Python on either engine."""
    for table in ("events", "identity_identifiers", "identity_edges"):
        spark.show(table, told.lake.read(table))
    for table in ("identifiers", "edges"):
        spark.show(f"identity_touched{'' if table == 'identifiers' else '_edges'}", told.lake.read(f"identity_{table}"))
    spark.show("new_events", told.lake.read("events"))
    spark.show("former_mapping", NOTHING.empty_table())
    spark.show("moved_cookies", NOTHING.empty_table())
    spark.show("build_slice", pa.Table.from_pylist([{"first_day": None, "last_day": None}], ALL_DAYS))
    for seed in (PROJECT / "seeds").glob("*.csv"):
        spark.session.read.csv(str(seed), header=True).createOrReplaceTempView(seed.stem)


def plain(value: Any) -> Any:
    """Give a value as both engines tell it: moments with their zone, floats to nine digits."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.9g}")
    return [plain(item) for item in value] if isinstance(value, list) else value


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(({name: plain(row[name]) for name in sorted(row)} for row in rows), key=str)


def differences(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[str]:
    """Say which columns of which rows differ."""
    if len(theirs) != len(ours):
        return [f"{len(theirs)} rows on Spark, {len(ours)} on DuckDB"]
    return [
        f"{name}: {one.get(name)!r} on Spark, {other.get(name)!r} on DuckDB"
        for one, other in zip(in_order(theirs), in_order(ours), strict=True)
        for name in sorted(one.keys() | other.keys())
        if one.get(name, "no such column") != other.get(name, "no such column")
    ]


def test_spark_gives_the_rows_that_duckdb_gives(spark: Spark, tmp_path: Path) -> None:
    (tmp_path / "traits.yml").write_text(TRAITS)
    told = append_and_build(tmp_path, draw_history(Random(7), visitors=40), **SETTINGS)
    place = lay_out(told.lake, open_engine(LakeSettings(), tmp_path), ModelSettings(**SETTINGS), tmp_path)
    place.follow(plan_build(told.lake, "", full_refresh=True))
    results = place.call(["compile", "--full-refresh", "--vars", "{sql_of: spark}"], say_nothing)
    lay_before(told, spark)
    compared = []
    for node in (result.node for result in results if result.node.resource_type == "model"):
        spark.make(node.name, node.compiled_code)
        if told.lake.exists(node.name):
            rows = told.lake.read(node.name).to_pylist()
            assert differences(spark.rows(f"select * from {node.name}"), rows) == [], node.name
            compared += [node.name] if rows else []
    assert {"page_views", "sessions", "users", "people", "conversions", "first_touch_features"} <= set(compared)
