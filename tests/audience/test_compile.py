"""Conditions against a real lake: who is found, what is refused, and that the SQL is not DuckDB's alone."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import ibis
import pytest
import sqlglot

from catchment.audience import AudienceSettings
from catchment.audience.catalog import open_catalog
from catchment.audience.compile import compile_audience
from catchment.audience.definition import load_audiences
from catchment.audience.preview import Previewer
from catchment.errors import DefinitionError, LakeError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.project import examples_folder

from .acme import NOW, attached, audience, fill

EVERYBODY = {"ann", "bob", "cem", "dia", "eve"}

FOUND: list[tuple[dict[str, Any], str]] = [
    ({"column": "country", "is": "DE"}, "ann"),
    ({"column": "country", "is_not": "DE"}, "bob cem dia eve"),
    ({"column": "country", "in": ["DE", "FR"]}, "ann cem"),
    ({"column": "country", "not_in": ["DE", "FR"]}, "bob dia eve"),
    ({"column": "country", "contains": "DE"}, "ann bob"),
    ({"column": "country", "starts_with": "D"}, "ann"),
    ({"column": "country", "is_null": True}, "dia"),
    ({"column": "country", "not_null": True}, "ann bob cem eve"),
    ({"column": "country", "is": "'; drop table people; --"}, ""),
    ({"column": "sessions", "is": 1}, "ann cem eve"),
    ({"column": "sessions", "gt": 1}, "bob dia"),
    ({"column": "sessions", "between": [2, 3]}, "bob dia"),
    ({"column": "engaged_time_in_s", "gte": 61.5}, "ann dia"),
    ({"column": "engaged_time_in_s", "lt": 61}, "bob eve"),
    ({"column": "engaged_time_in_s", "lte": 0}, "eve"),
    ({"column": "converted", "is": True}, "bob"),
    ({"column": "converted", "is_not": True}, "ann cem dia eve"),
    ({"column": "last_seen_tstamp", "within_last_days": 7}, "ann cem eve"),
    ({"column": "last_seen_tstamp", "lt": date(2026, 4, 24)}, "bob dia"),
    ({"column": "last_seen_tstamp", "gte": "2026-05-01T12:00:00Z"}, "eve"),
    ({"all": [{"column": "sessions", "is": 1}, {"column": "mkt_medium", "is_null": True}]}, "ann"),
    ({"any": [{"column": "sessions", "is": 3}, {"column": "country", "is": "US"}]}, "bob eve"),
    ({"not": {"any": [{"column": "sessions", "is": 3}, {"column": "country", "is": "US"}]}}, "ann cem dia"),
    ({"related": "page_views"}, "ann bob cem"),
    ({"related": "page_views", "count": {"is": 0}}, "dia eve"),
    ({"related": "page_views", "count": {"lte": 1}}, "cem dia eve"),
    ({"related": "page_views", "count": {"gt": 1, "lt": 3}}, "bob"),
    ({"related": "page_views", "count": {"gte": 2}, "where": {"column": "page_urlpath", "is": "/pricing"}}, "ann bob"),
    ({"not": {"related": "page_views", "where": {"column": "page_urlpath", "is": "/docs"}}}, "bob dia eve"),
    ({"score": "signup", "label": ["High", "Medium"]}, "ann bob"),
    ({"score": "signup", "decile": {"gte": 7}}, "ann bob"),
    ({"score": "signup", "label": ["Low"], "decile": {"gte": 7}}, ""),
    ({"not": {"score": "signup", "decile": {"gte": 7}}}, "cem dia eve"),
    ({"score": "renewal", "label": ["High"]}, ""),
    ({"member_of": "anybody"}, ""),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with attached(fill(Lake(str(tmp_path_factory.mktemp("lake"))))) as session:
        yield session


def previewer(session: Session) -> Previewer:
    return Previewer(session.ibis(), open_catalog(session.ibis()), NOW)


def members(where: dict[str, Any], session: Session) -> set[str]:
    backend = session.ibis()
    found = backend.to_pyarrow(compile_audience(audience(where), open_catalog(backend), NOW))["person_id"].to_pylist()
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(("where", "who"), FOUND, ids=lambda value: str(value)[:60])
def test_a_condition_finds_exactly_those_it_speaks_of(where: dict[str, Any], who: str, session: Session) -> None:
    assert members(where, session) == set(who.split())


@pytest.mark.parametrize("where", [where for where, _ in FOUND], ids=lambda value: str(value)[:60])
def test_not_is_the_exact_complement(where: dict[str, Any], session: Session) -> None:
    assert members({"not": where}, session) == EVERYBODY - members(where, session)


def test_views_are_counted_in_a_window_of_time(session: Session) -> None:
    recent = {"column": "start_tstamp", "within_last_days": 30}
    pricing = {"column": "page_urlpath", "is": "/pricing"}
    where = {"related": "page_views", "count": {"gte": 2}, "where": {"all": [pricing, recent]}}
    assert members(where, session) == {"ann"}


def test_a_preview_counts_without_changing_anything(session: Session) -> None:
    assert previewer(session).size(audience({"column": "sessions", "is": 1})) == 3


@pytest.mark.parametrize(
    ("where", "place", "mend"),
    [
        ({"column": "contry", "is": "DE"}, "where.column: the table 'people' has no column 'contry'", "'country'"),
        (
            {"all": [{"column": "sessions", "is": 1}, {"not": {"column": "visits", "is": 1}}]},
            "where.all[1].not.column: the table 'people' has no column 'visits'",
            "sessions",
        ),
        (
            {"related": "page_views", "where": {"column": "page_url", "is": "/"}},
            "where.where.column: the table 'page_views' has no column 'page_url'",
            "'page_urlpath'",
        ),
        ({"related": "page_view"}, "where.related: the lake has no table 'page_view'", "'page_views'"),
        ({"score": "singup", "label": ["High"]}, "where.score: no prediction 'singup' has scores", "'signup'"),
        ({"column": "sessions", "is": "one"}, "where.is: 'one' cannot be compared with 'sessions'", "docs/audience"),
        ({"column": "country", "gt": 3}, "where.gt: '3' cannot be compared with 'country'", "docs/audience"),
        ({"column": "converted", "is": 1}, "where.is: '1' cannot be compared with 'converted'", "docs/audience"),
        ({"column": "sessions", "contains": "1"}, "where.contains: 'sessions' is int64, not text", "docs/audience"),
        ({"column": "country", "within_last_days": 7}, "'country' is string, not a time", "docs/audience"),
        ({"column": "last_seen_tstamp", "gt": "yesterday"}, "where.gt: 'yesterday' is no date", "2026-01-31"),
    ],
)
def test_a_condition_that_does_not_fit_the_tables_names_file_place_and_mend(
    where: dict[str, Any], place: str, mend: str, session: Session
) -> None:
    with pytest.raises(DefinitionError) as raised:
        members(where, session)
    assert str(raised.value).startswith("audiences/a.yml: ")
    assert place in str(raised.value)
    assert mend in raised.value.hint


def test_people_that_were_never_modelled_say_what_fills_them(session: Session) -> None:
    with pytest.raises(LakeError, match="no table 'accounts' yet") as raised:
        previewer(session).size(audience({"column": "sessions", "is": 1}, parent="accounts"))
    assert "catchment run" in raised.value.hint


class SparkOptions(ibis.config.Config):
    """What Ibis sets when its Spark backend is opened, which needs a JVM; compiling alone does not."""

    treat_nan_as_null: bool = False


@pytest.mark.parametrize("where", [where for where, _ in FOUND], ids=lambda value: str(value)[:60])
def test_every_condition_can_be_said_to_spark_too(
    where: dict[str, Any], session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ibis.options, "pyspark", SparkOptions())
    sql = str(ibis.to_sql(compile_audience(audience(where), open_catalog(session.ibis()), NOW), dialect="pyspark"))
    assert sqlglot.parse_one(sql, dialect="spark").find(sqlglot.exp.Select) is not None


def test_the_example_audiences_name_only_columns_that_people_have() -> None:
    columns = {
        "sessions": "int64",
        "mkt_medium": "string",
        "converted": "boolean",
        "engaged_time_in_s": "int64",
    }
    backend = ibis.duckdb.connect()
    backend.create_table("people", schema=ibis.schema({"person_id": "string", **columns}))
    backend.create_table("page_views", schema=ibis.schema({"person_id": "string"}))
    for example in load_audiences(AudienceSettings(), examples_folder() / "saas"):
        assert backend.to_pyarrow(compile_audience(example, open_catalog(backend), NOW)).num_rows == 0
