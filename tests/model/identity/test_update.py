"""Identity's tables in a lake, brought up to date without dbt."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.lake import Lake
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.orders import Orders
from catchment.model.identity.rules import PairRules
from catchment.model.identity.update import update_identity

START = datetime(2026, 3, 2, tzinfo=UTC)
NEWS = pa.schema(
    [
        *((name, pa.string()) for name in ("kind_a", "value_a", "kind_b", "value_b")), ("week", pa.date32()),
        ("first_seen_tstamp", pa.timestamp("us", "UTC")), ("last_seen_tstamp", pa.timestamp("us", "UTC")),
        ("weekdays", pa.int32()), ("first_event_id", pa.string()),
    ]
)  # fmt: skip


def news(*pairs: tuple[str, str]) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for day, (user, cookie) in enumerate(pairs):
        at = START + timedelta(days=day)
        rows.append(
            {
                "kind_a": "user_id" if user else "", "value_a": user, "kind_b": "domain_userid", "value_b": cookie,
                "week": (at - timedelta(days=at.weekday())).date(), "first_seen_tstamp": at, "last_seen_tstamp": at,
                "weekdays": 1 << at.weekday(), "first_event_id": f"e{day}",
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows, NEWS)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    yield Lake(str(tmp_path))


def people(lake: Lake, told: pa.Table, settings: IdentitySettings, version: int | None = None) -> dict[str, str]:
    orders = Orders.of(settings, PairRules(), version)
    with duckdb.connect() as connection:
        load_delta(connection)
        view_tables(connection, lake)
        connection.execute("create table identity_news as select * from told")
        update_identity(connection.cursor(), lake, orders, is_full=False)
    rows = lake.read("identity_identifiers").to_pylist()
    return {row["value"]: row["person_id"] for row in rows}


def test_probable_links_join_people_from_the_score_on_that_is_asked_and_part_them_again(lake: Lake) -> None:
    told = news(("ada", "c1"), ("", "c2"), ("", "c3"))
    kinds = {"kind_a": "domain_userid", "value_a": "c1", "kind_b": "domain_userid"}
    links = [{**kinds, "value_b": "c2", "score": 0.97}, {**kinds, "value_b": "c3", "score": 0.6}]
    lake.overwrite("likely", pa.Table.from_pylist(links))
    assert people(lake, told, IdentitySettings()) == {"ada": "c1", "c1": "c1", "c2": "c2", "c3": "c3"}
    settings = IdentitySettings(links="likely", min_score=0.9)
    assert people(lake, news(), settings, lake.version("likely"))["c2"] == "c1"
    looser = IdentitySettings(links="likely", min_score=0.5)
    assert set(people(lake, news(), looser, lake.version("likely")).values()) == {"c1"}
    assert people(lake, news(), IdentitySettings())["c2"] == "c2"
    changes = lake.read("identity_changes").sort_by("changed_at").to_pylist()
    assert [(row["value"], row["person_id"]) for row in changes if row["value"] == "c2"] == [("c2", "c1"), ("c2", "c2")]


def test_a_probable_link_never_makes_one_person_of_two_users(lake: Lake) -> None:
    told = news(("ada", "c1"), ("bob", "c2"))
    link = {"kind_a": "user_id", "value_a": "ada", "kind_b": "user_id", "value_b": "bob", "score": 1.0}
    lake.overwrite("likely", pa.Table.from_pylist([link]))
    found = people(lake, told, IdentitySettings(links="likely"), lake.version("likely"))
    assert found == {"ada": "c1", "c1": "c1", "bob": "c2", "c2": "c2"}
    (conflict,) = lake.read("identity_conflicts").to_pylist()
    assert (conflict["value_a"], conflict["value_b"], conflict["reason"]) == ("ada", "bob", "limit")


def test_only_the_files_of_touched_clusters_are_written_and_the_same_again_commits_nothing(lake: Lake) -> None:
    told = news(*((f"u{n}", f"c{n}") for n in range(5)))
    people(lake, told, IdentitySettings())
    before = {table: lake.version(table) for table in lake.tables()}
    people(lake, told.slice(2, 1), IdentitySettings())
    assert {table: lake.version(table) for table in lake.tables()} == before
