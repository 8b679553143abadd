"""Audiences on a real Spark: the SQL that is written for it finds the members that DuckDB finds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catchment.audience import AudienceSettings
from catchment.audience.sql import render_sql
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS
from tests.audience import test_compile, test_relations
from tests.audience.acme import NOW, VIEWS, audience, fill
from tests.audience.shop import SETTINGS, fill_shop
from tests.audience.test_sql import SCHEMAS
from tests.spark.conftest import Spark

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of py4j, which leaves its sockets to the collector
World = tuple[Callable[[Lake], Lake], AudienceSettings, list[tuple[dict[str, Any], str]]]
WORLDS: dict[str, World] = {
    "acme": (fill, AudienceSettings(), test_compile.FOUND),
    "shop": (fill_shop, SETTINGS, test_relations.FOUND),
}


@pytest.mark.parametrize("world", WORLDS)
def test_every_condition_finds_the_same_people_on_spark(world: str, spark: Spark, tmp_path: Path) -> None:
    fill_world, settings, found = WORLDS[world]
    lake = fill_world(Lake(str(tmp_path / "lake")))
    for table in lake.tables():
        spark.show(table, lake.read(table))
    if not lake.exists(AUDIENCE_MEMBERS.name):
        spark.show(AUDIENCE_MEMBERS.name, AUDIENCE_MEMBERS.schema.empty_table())
    wrong = []
    for where, expected in found:
        sql = render_sql(audience(where), SCHEMAS | {"page_views": VIEWS}, settings, NOW, "spark")
        members = sorted(row["person_id"] for row in spark.rows(sql))
        wrong += [(where, members)] if members != expected.split() else []
    assert wrong == []
