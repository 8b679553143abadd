"""One definition, every engine: the SQL of each dialect is a golden file, so that a change of it is seen."""

from pathlib import Path
from typing import Any

import pytest
import sqlglot

from catchment.audience.sql import DIALECTS, render_sql
from catchment.errors import CatchmentError
from catchment.tables import AUDIENCE_MEMBERS, PROPENSITY_SCORES

from . import shop
from .acme import NOW, PEOPLE, audience
from .test_relations import FOUND

GOLDEN = Path(__file__).parents[1] / "golden" / "audience"
SCHEMAS = {
    "people": PEOPLE,
    "orders": shop.ORDERS,
    "order_lines": shop.LINES,
    "accounts": shop.ACCOUNTS,
    "events": shop.EVENTS,
    "user_mapping": shop.MAPPING,
    "propensity_scores": PROPENSITY_SCORES.schema,
    "audience_members": AUDIENCE_MEMBERS.schema,
}
EVERYTHING: dict[str, Any] = {
    "where": {
        "all": [
            {"column": "country", "not_in": ["DE", "it's"]},
            {"column": "last_seen_tstamp", "gte": {"days_ago": 30}},
            {"related": "lines", "distinct": "product", "value": {"gte": 2}},
            {"event": "page_view", "count": {"gte": 3}, "within_last_days": 7},
            {"sequence": [{"event": "page_view"}, {"not": {"event": "signup"}}], "within_days": 2},
            {"any": [{"score": "signup", "decile": {"gte": 9}}, {"not": {"member_of": "other"}}]},
        ]
    },
    "top": {"by": "engaged_time_in_s", "percent": 10},
    "cap": 1000,
}


def rendered(dialect: str, where: dict[str, Any], **more: Any) -> str:
    return render_sql(audience(where, **more), SCHEMAS, shop.SETTINGS, NOW, dialect)


@pytest.mark.parametrize("dialect", sorted(set(DIALECTS.values())))
def test_the_sql_of_each_dialect_is_as_reviewed(dialect: str, request: pytest.FixtureRequest) -> None:
    sql = rendered(dialect, **EVERYTHING)
    path = GOLDEN / f"{dialect}.sql"
    if request.config.getoption("--golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql)
    assert sql == path.read_text(), "`pytest --golden` writes it anew"


def test_spark_reads_what_is_written_for_databricks() -> None:
    assert rendered("spark", **EVERYTHING) == rendered("databricks", **EVERYTHING)


@pytest.mark.parametrize("where", [where for where, _ in FOUND], ids=lambda value: str(value)[:70])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_condition_can_be_said_in_every_dialect(dialect: str, where: dict[str, Any]) -> None:
    sql = rendered(dialect, where)
    assert sqlglot.parse_one(sql, dialect=DIALECTS[dialect]).find(sqlglot.exp.Select) is not None
    assert dialect == "duckdb" or "TIMESTAMP(" not in sql.upper() or dialect == "snowflake"


def test_an_unknown_dialect_is_told_which_there_are() -> None:
    with pytest.raises(CatchmentError, match="no dialect 'oracle'") as raised:
        rendered("oracle", {"column": "sessions", "is": 1})
    assert "snowflake" in raised.value.hint
