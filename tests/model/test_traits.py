"""Computed traits: declared in YAML, built with the models, used by audiences, refused with file and key."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot
import yaml

from catchment.audience.catalog import open_catalog
from catchment.audience.compile import compile_audience
from catchment.audience.definition import parse_audience
from catchment.errors import DefinitionError
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.build import Choice
from catchment.model.plan import plan_build
from catchment.model.trait_sql import Sources, model_sql
from catchment.model.traits import read_traits
from catchment.model.workplace import lay_out
from catchment.observe import say_nothing
from tests.model.conftest import Built, append_and_build, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
NOW = datetime.now(UTC)
TRAITS = """
purchases: {count: true, where: "event_name = 'purchase'"}
revenue: {sum: se_value, where: "event_name = 'purchase'", default: 0}
revenue_30d: {sum: se_value, where: "event_name = 'purchase'", within_last_days: 30}
dearest: {max: se_value}
first_page: {first: page_urlpath}
last_page: {last: page_urlpath, default: none}
usual_page: {most_frequent: page_urlpath, description: Where they are most of the time.}
pages: {distinct: page_urlpath}
days_quiet: {days_since: last}
days_known: {days_since: first}
last_email: {last: contexts_com_acme_user_1.email}
later_told: {last: contexts_com_acme_later_1.field}
orders: {count: true, from: orders, by: {customer: email}}
last_order: {last: item, from: orders, by: {customer: email}, tstamp: ordered_at}
visits: {sum: page_views, from: sessions}
"""


def moment(days: float) -> datetime:
    return NOW - timedelta(days=days, minutes=1)


def seen(number: int, days: float, name: str = "page_view", **columns: Any) -> dict[str, Any]:
    told = moment(days)
    times = ("collector_tstamp", "derived_tstamp", "dvce_created_tstamp", "etl_tstamp", "load_tstamp")
    return event(number, name, **dict.fromkeys(times, told), **columns)


ANN, PHONE, BOB = (
    {"domain_userid": cookie, "domain_sessionid": f"s-{cookie}", "view": f"p-{cookie}"}
    for cookie in ("ann", "ann-phone", "bob")
)
EVENTS = [
    seen(1, 100, **ANN, page_urlpath="/a", user_id="u1", email="old@acme.com"),
    seen(2, 99, "purchase", **ANN, se_value=10.0),
    seen(3, 20, "page_view", **PHONE, page_urlpath="/b", user_id="u1", email="ann@acme.com"),
    seen(4, 19, "page_view", **PHONE, page_urlpath="/b"),
    seen(5, 18, "purchase", **PHONE, se_value=5.0),
    seen(5, 18, "purchase", **PHONE, se_value=5.0),
    seen(6, 1, **BOB, page_urlpath="/c", useragent="Googlebot"),
    seen(7, 1, **{**BOB, "view": "p-bob-2"}, page_title="c"),
]


def declare(folder: Path, text: str, name: str = "all.yml") -> None:
    (folder / "traits").mkdir(exist_ok=True)
    (folder / "traits" / name).write_text(text)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = empty_project(tmp_path_factory.mktemp("project"))
    declare(folder, TRAITS)
    lake = Lake.open(LakeSettings(), folder)
    orders = [
        {"customer": "ann@acme.com", "item": "hat", "ordered_at": moment(3)},
        {"customer": "ann@acme.com", "item": "shoe", "ordered_at": moment(2)},
        {"customer": "eve@acme.com", "item": "sock", "ordered_at": moment(1)},
    ]
    lake.append("orders", pa.Table.from_pylist(orders))
    yield append_and_build(folder, EVENTS, traits={"email": "contexts_com_acme_user_1.email"})


def test_traits_are_counted_over_all_cookies_of_a_person_and_each_event_once(told: Built) -> None:
    people = told.rows("people_traits", "person_id")
    ann = people["ann"]
    assert (ann["purchases"], ann["revenue"], ann["revenue_30d"], ann["dearest"]) == (2, 15.0, 5.0, 10.0)
    assert (ann["first_page"], ann["last_page"], ann["usual_page"], ann["pages"]) == ("/a", "/b", "/b", 2)
    assert (ann["days_quiet"], ann["days_known"]) == (18, 100)
    assert (ann["last_email"], ann["later_told"]) == ("ann@acme.com", None)


def test_traits_are_drawn_from_other_tables_and_from_models(told: Built) -> None:
    ann = told.rows("people_traits", "person_id")["ann"]
    assert (ann["orders"], ann["last_order"], ann["visits"]) == (2, "shoe", 2.0)


def test_who_has_no_rows_has_zero_of_counts_the_default_and_else_nothing(told: Built) -> None:
    bob = told.rows("people_traits", "person_id")["bob"]
    assert (bob["purchases"], bob["revenue"], bob["revenue_30d"], bob["pages"]) == (0, 0.0, None, 0)
    assert (bob["first_page"], bob["last_page"], bob["orders"]) == (None, "none", 0)


def test_an_audience_compares_a_trait_without_any_setting(told: Built) -> None:
    where = {"column": "people_traits.revenue", "gte": 15}
    audience = parse_audience({"name": "dear", "parent": "people", "where": where}, "audiences/dear.yml")
    with open_engine(LakeSettings(), Path(told.lake.uri)).attach(told.lake) as session:
        members = compile_audience(audience, open_catalog(session.ibis()), NOW).execute()
    assert list(members.iloc[:, 0]) == ["ann"]


def test_the_model_is_spark_sql_and_described(told: Built) -> None:
    folder = Path(told.lake.uri).parent
    place = lay_out(told.lake, open_engine(LakeSettings(), folder), ModelSettings(), folder)
    place.follow(plan_build(told.lake, "", full_refresh=True))
    place.call(["compile", "--full-refresh", "--select", "people_traits", "--vars", "{sql_of: spark}"], say_nothing)
    sql = (place.folder / "target/compiled/catchment/models/computed/people_traits.sql").read_text()
    assert sqlglot.parse_one(sql.replace('"', ""), dialect="spark") is not None
    assert "to_seconds" not in sql
    described = yaml.safe_load((place.folder / "models/computed/people_traits.yml").read_text())
    words = {column["name"]: column["description"] for column in described["models"][0]["columns"]}
    assert words["usual_page"] == "Where they are most of the time."
    assert words["revenue_30d"] == "sum se_value, from events, where event_name = 'purchase', within_last_days 30.0."


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("x: {sum: se_valeu}", r"traits/all\.yml: x\.sum: 'se_valeu' is no column of events", "se_value"),
        ("x: {count: true, where: 'a = = 1'}", r"traits/all\.yml: x\.where: is not SQL", "expression"),
        ("x: {count: true, sum: se_value}", r"traits/all\.yml: x: has 2 measures \(count, sum\)", ""),
        ("x: {}", r"traits/all\.yml: x: has 0 measures \(none\)", ""),
        ("x: {cuont: true}", r"traits/all\.yml: x\.cuont: is not a setting", "Did you mean 'count'"),
        ("x: {file: y, count: true}", r"traits/all\.yml: x\.file: is not a key", ""),
        ("x: {count: true, from: oders}", r"traits/all\.yml: x\.from: there is no table 'oders'", "orders"),
        ("x: {count: true, from: orders}", r"x\.from: 'orders' has neither person_id nor domain_userid", "by:"),
        (
            "x: {count: true, from: orders, by: {custmer: email}}",
            r"x\.by: 'custmer' is no column of orders",
            "customer",
        ),
        ("x: {last: item, from: orders, by: {customer: email}}", r"x: needs `tstamp:`", ""),
        ("person_id: {count: true}", r"all\.yml: person_id: cannot be the name", "small letters"),
        ("x: 3", r"all\.yml: x: holds no keys", "count: true"),
        ("x: {count: true, within_last_days: 0}", r"x\.within_last_days: Input should be greater than 0", ""),
    ],
)
def test_what_is_wrong_is_told_by_file_and_key(tmp_path: Path, text: str, message: str, hint: str) -> None:
    declare(tmp_path, text)
    orders = pa.schema([("customer", pa.string()), ("item", pa.string())])
    events = pa.schema([("se_value", pa.float64()), ("event_name", pa.string())])
    sources = Sources({"events": events, "orders": orders}.get, frozenset(["people"]), ("events", "orders"))
    with pytest.raises(DefinitionError, match=message) as refused:
        model_sql(read_traits(tmp_path, "traits"), sources)
    assert hint in refused.value.hint


def test_two_files_cannot_declare_the_same_trait(tmp_path: Path) -> None:
    declare(tmp_path, "x: {count: true}", "a.yml")
    declare(tmp_path, "x: {count: true}", "b.yml")
    with pytest.raises(DefinitionError, match=r"traits/b\.yml: x: is the name of a trait of traits/a\.yml too"):
        read_traits(tmp_path, "traits")


def test_a_build_without_news_writes_no_traits_and_another_definition_writes_them_anew(told: Built) -> None:
    folder = Path(told.lake.uri).parent
    before = told.lake.version("people_traits")
    same = {"traits": {"email": "contexts_com_acme_user_1.email"}}
    append_and_build(folder, [], **same)
    assert told.lake.version("people_traits") == before
    append_and_build(folder, [seen(20, 0.5, "purchase", **BOB, se_value=1.0)], **same)
    assert told.rows("people_traits", "person_id")["bob"]["purchases"] == 1
    declare(folder, "purchases: {last: event_name}")
    append_and_build(folder, [], Choice(select="people_traits"), **same)
    assert told.rows("people_traits", "person_id")["bob"] == {"person_id": "bob", "purchases": "purchase"}
    (folder / "traits/all.yml").unlink()
    append_and_build(folder, [], Choice(select="people_traits"), **same)
    assert told.rows("people_traits", "person_id")["bob"] == {"person_id": "bob"}
