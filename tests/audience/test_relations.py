"""Columns against columns, moments against now, related tables, events and sequences: who is found."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from catchment.audience import AudienceSettings
from catchment.audience.catalog import open_catalog
from catchment.audience.compile import compile_audience
from catchment.errors import DefinitionError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake

from .acme import NOW, attached, audience
from .shop import SETTINGS, fill_shop

PRICING = {"column": "page_urlpath", "is": "/pricing"}
LOOKED_THEN_SIGNED_UP = {"sequence": [{"event": "page_view", "where": PRICING}, {"event": "signup"}], "within_days": 2}

FOUND: list[tuple[dict[str, Any], str]] = [
    ({"column": "engaged_time_in_s", "gt": {"column": "sessions"}}, "ann bob dia"),
    ({"column": "sessions", "in": [3, {"column": "sessions"}]}, "ann bob cem dia eve"),
    ({"column": "last_seen_tstamp", "gte": {"days_ago": 6}}, "ann cem eve"),
    ({"column": "last_seen_tstamp", "lt": {"days_ago": 7.5}}, "bob dia"),
    ({"column": "last_seen_tstamp", "between": [{"days_ago": 10}, {"days_ago": 5}]}, "cem dia"),
    ({"column": "last_seen_tstamp", "within_next_days": 1}, "eve"),
    ({"column": "country", "ends_with": "E"}, "ann"),
    ({"column": "account.employees", "gte": 100}, "ann"),
    ({"not": {"column": "account.employees", "gte": 100}}, "bob cem dia eve"),
    ({"column": "account.employees", "lt": {"column": "engaged_time_in_s"}}, ""),
    ({"related": "orders"}, "ann bob cem"),
    ({"related": "orders", "count": {"is": 0}}, "dia eve"),
    ({"related": "orders", "sum": "amount", "value": {"gte": 100}}, "ann"),
    ({"related": "orders", "sum": "amount", "value": {"lt": 100}}, "bob"),
    ({"related": "orders", "avg": "amount", "value": {"is": 55}}, "ann"),
    ({"related": "orders", "max": "ordered_at", "value": {"gte": {"days_ago": 7}}}, "ann"),
    ({"related": "orders", "min": "amount", "value": {"gt": 0, "lt": 30}}, "bob"),
    ({"related": "lines", "distinct": "product", "value": {"gte": 2}}, "ann"),
    ({"related": "lines", "distinct": "product", "value": {"is": 0}}, "dia eve"),
    ({"related": "lines", "where": {"column": "product", "is": "hat"}}, "ann cem"),
    ({"event": "signup"}, "ann bob"),
    ({"event": "signup", "count": {"is": 0}}, "cem dia eve"),
    ({"event": ["signup", "page_view"]}, "ann bob cem eve"),
    ({"event": "page_view", "count": {"gte": 2}}, "ann"),
    ({"event": "page_view", "count": {"is": 2}}, "ann"),
    ({"event": "page_view", "count": {"gt": 2}}, ""),
    ({"event": "page_view", "where": PRICING, "within_last_days": 10}, "ann cem"),
    ({"event": "page_view", "count": {"is": 0}, "within_last_days": 10}, "bob dia"),
    ({"event": "page_view", "between": ["2026-04-10", "2026-04-25"]}, "ann bob"),
    ({"event": "page_view", "occurrence": "first", "within_last_days": 6}, "cem eve"),
    ({"event": "page_view", "occurrence": "last", "within_last_days": 8.5}, "ann cem eve"),
    (LOOKED_THEN_SIGNED_UP, "ann"),
    ({"not": LOOKED_THEN_SIGNED_UP}, "bob cem dia eve"),
    ({**LOOKED_THEN_SIGNED_UP, "within_days": 0.5}, ""),
    ({**LOOKED_THEN_SIGNED_UP, "within_last_days": 8.5}, "ann"),
    ({**LOOKED_THEN_SIGNED_UP, "within_last_days": 7.5}, ""),
    (
        {"sequence": [{"event": "page_view", "where": PRICING}, {"not": {"event": "signup"}}], "within_days": 2},
        "bob cem",
    ),
    (
        {"sequence": [{"event": "page_view", "where": PRICING}, {"not": {"event": "signup"}}], "within_days": 6},
        "bob",
    ),
    (
        {"sequence": [{"event": "page_view"}, {"event": "page_view"}, {"event": "signup"}], "within_days": 1.5},
        "ann",
    ),
    ({"score": "signup", "value": {"gte": 0.5}}, "ann bob"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with attached(fill_shop(Lake(str(tmp_path_factory.mktemp("lake"))))) as session:
        yield session


def members(where: dict[str, Any], session: Session, **more: Any) -> list[Any]:
    backend = session.ibis()
    compiled = compile_audience(audience(where, **more), open_catalog(backend, SETTINGS), NOW)
    return sorted(backend.to_pyarrow(compiled)["person_id"].to_pylist())


@pytest.mark.parametrize(("where", "who"), FOUND, ids=lambda value: str(value)[:70])
def test_a_condition_finds_exactly_those_it_speaks_of(where: dict[str, Any], who: str, session: Session) -> None:
    assert members(where, session) == who.split()


@pytest.mark.parametrize("where", [where for where, _ in FOUND], ids=lambda value: str(value)[:70])
def test_not_is_the_exact_complement(where: dict[str, Any], session: Session) -> None:
    assert set(members({"not": where}, session)) == {"ann", "bob", "cem", "dia", "eve"} - set(members(where, session))


def test_an_audience_may_be_drawn_from_accounts(session: Session) -> None:
    assert members({"column": "employees", "gte": 10}, session, parent="accounts") == [10, 20]
    assert members({"related": "staff", "count": {"gte": 1}}, session, parent="accounts") == [10, 20]


@pytest.mark.parametrize(
    ("top", "who"),
    [
        ({"by": "engaged_time_in_s", "count": 2}, "ann dia"),
        ({"by": "engaged_time_in_s", "count": 4}, "ann bob dia eve"),
        ({"by": "engaged_time_in_s", "count": 1, "order": "asc"}, "eve"),
        ({"by": "sessions", "percent": 40}, "bob dia"),
        ({"by": "sessions", "percent": 1}, "bob"),
        ({"score": "signup", "count": 2}, "ann bob"),
    ],
)
def test_the_top_is_by_value_and_those_without_come_last(top: dict[str, Any], who: str, session: Session) -> None:
    assert members({"column": "sessions", "gte": 0}, session, top=top) == who.split()


def test_a_cap_draws_the_same_people_every_day(session: Session) -> None:
    anybody = {"column": "sessions", "gte": 0}
    three = members(anybody, session, cap=3)
    assert len(three) == 3
    assert set(members(anybody, session, cap=2)) < set(three)
    assert members(anybody, session, cap=3) == three


@pytest.mark.parametrize(
    ("where", "place", "mend"),
    [
        ({"column": "account.size", "gte": 1}, "where.column: the table 'account' has no column 'size'", "employees"),
        ({"column": "orders.amount", "gte": 1}, "where.column: 'orders' may have many rows", "related: orders"),
        ({"column": "acount.employees", "gte": 1}, "the lake has no table 'acount'", "'account'"),
        ({"related": "order_lines"}, "audience.related does not relate 'order_lines' to people", "Declare"),
        ({"related": "orders", "sum": "ordered_at", "value": {"gt": 1}}, "where.sum: 'ordered_at' is", "docs"),
        ({"related": "orders", "sum": "amout", "value": {"gt": 1}}, "where.sum: the table 'orders'", "'amount'"),
        ({"column": "sessions", "gt": {"column": "country"}}, "'country' is string and cannot be compared", "docs"),
        ({"column": "sessions", "gt": {"column": "sesions"}}, "where.gt.column: the table 'people'", "'sessions'"),
        ({"event": "signup", "where": {"column": "page", "is": "x"}}, "where.where.column: the table 'events'", "page"),
        ({"event": "signup", "where": {"event": "x"}}, "where.where: rows of 'events' can only be told", "Use all"),
        (
            {"sequence": [{"event": "a"}, {"event": "b", "where": {"column": "no", "is": 1}}], "within_days": 1},
            "where.sequence[1].where.column",
            "There are",
        ),
    ],
)
def test_what_does_not_fit_the_tables_names_file_place_and_mend(
    where: dict[str, Any], place: str, mend: str, session: Session
) -> None:
    with pytest.raises(DefinitionError) as raised:
        members(where, session)
    assert str(raised.value).startswith("audiences/a.yml: ")
    assert place in str(raised.value)
    assert mend in raised.value.hint


def test_a_parent_without_events_says_where_to_declare_them(session: Session) -> None:
    with pytest.raises(DefinitionError, match=r"audience\.events says nothing of 'accounts'") as raised:
        members({"event": "signup"}, session, parent="accounts")
    assert "audience.events.accounts" in raised.value.hint


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ({"related": "orders", "sum": "amount"}, "needs `value`"),
        ({"related": "orders", "sum": "a", "avg": "b", "value": {"gt": 1}}, "at most one of"),
        ({"event": "a", "occurrence": "first"}, "needs within_last_days or between"),
        ({"event": "a", "occurrence": "first", "within_last_days": 1, "count": {"gt": 2}}, "takes no count"),
        ({"sequence": [{"event": "a"}], "within_days": 1}, "at least 2"),
        ({"sequence": [{"not": {"event": "a"}}, {"event": "b"}], "within_days": 1}, "only be the last step"),
        ({"column": "a", "gt": {"days_ago": 1, "days_ahead": 2}}, "exactly one of"),
    ],
)
def test_a_condition_that_contradicts_itself_is_refused(where: dict[str, Any], fault: str) -> None:
    with pytest.raises(DefinitionError, match=r"audiences/a\.yml: where") as raised:
        audience(where)
    assert fault in str(raised.value)


def test_on_is_a_key_although_yaml_reads_it_as_true() -> None:
    told = yaml.safe_load("related: {orders: {on: {customer: person_id}}}")
    assert AudienceSettings.model_validate(told).related["orders"].on == {"customer": "person_id"}
