"""People formed of the pairs that a real Spark has found are those of a build on DuckDB."""

from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest

from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.identity.elsewhere import resolve_news
from catchment.model.identity.orders import Orders
from catchment.model.plan import plan_build
from catchment.model.workplace import lay_out
from catchment.observe import say_nothing
from catchment.tables import (
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_MERGES,
    IDENTITY_NEWS,
)
from tests.model.conftest import append_and_build
from tests.model.test_purity import SETTINGS, draw_history
from tests.spark.conftest import Spark

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
FORMED = (IDENTITY_IDENTIFIERS, IDENTITY_EDGES, IDENTITY_HISTORY, IDENTITY_MERGES, IDENTITY_CONFLICTS)


def formed(lake: Lake) -> dict[str, list[str]]:
    return {table.name: sorted(str(row) for row in lake.read(table.name).to_pylist()) for table in FORMED}


def pairs_found_by(spark: Spark, sql: str, events: pa.Table) -> pa.Table:
    spark.show("new_events", events)
    spark.make(IDENTITY_NEWS.name, sql)
    found: Any = spark.session.table(IDENTITY_NEWS.name).toArrow()
    return found


def test_people_of_pairs_that_spark_finds_batch_by_batch_are_those_of_duckdb(spark: Spark, tmp_path: Path) -> None:
    told = append_and_build(tmp_path, draw_history(Random(7), visitors=40), **SETTINGS)
    settings = ModelSettings(**SETTINGS)
    place = lay_out(told.lake, open_engine(LakeSettings(), tmp_path), settings, tmp_path)
    place.follow(plan_build(told.lake, "", full_refresh=True))
    results = place.call(["compile", "--select", IDENTITY_NEWS.name, "--vars", "{sql_of: spark}"], say_nothing)
    sql = next(result.node.compiled_code for result in results if result.node.name == IDENTITY_NEWS.name)
    lake = Lake(str(tmp_path / "other"))
    events = told.lake.read("events")
    half = events.num_rows // 2
    for batch in (events.slice(half), events.slice(0, half)):
        lake.overwrite(IDENTITY_NEWS.name, pairs_found_by(spark, sql, batch))
        resolve_news(lake, Orders.of_project(lake, settings.identity, tmp_path), tmp_path, is_full=False)
    assert formed(lake) == formed(told.lake)
    assert all(formed(lake)[table.name] for table in FORMED)
