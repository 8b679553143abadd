"""Identity's tables, brought up to date: the same as all at once, by any batches, wherever a build was cut off."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from catchment.lake import UpkeepSettings
from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.lake import Lake
from catchment.lake.upkeep import tend
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.elsewhere import resolve_news
from catchment.model.identity.orders import Orders
from catchment.model.identity.rules import PairRules
from catchment.model.identity.update import OUTCOMES, update_identity
from catchment.tables import IDENTITY_EDGES, IDENTITY_IDENTIFIERS, IDENTITY_NEWS
from tests.model.identity.test_update import NEWS, START

WHOLE = [table.name for table in (IDENTITY_EDGES, *OUTCOMES)]
USUAL = IdentitySettings()
LIKELY = {"kind_a": "domain_userid", "value_a": "c1", "kind_b": "domain_userid", "value_b": "c2"}
Seen = tuple[str, str, str, str, int]
"""Two identifiers, and the hour at which they were seen."""


def draw(chance: Random, seen: int, weeks: int = 2) -> list[Seen]:
    """Few users and some cookies: devices are shared, to and fro within a week too; some cookies are nobody's yet."""
    drawn: list[Seen] = []
    for _ in range(seen):
        hour, user = chance.randrange(24 * 7 * weeks), f"u{chance.randrange(seen // 8)}"
        cookie = f"c{chance.randrange(seen // 4)}"
        one = chance.choice([("user_id", user), ("user_id", user), ("email", f"{user}@acme.com"), ("", "")])
        other = ("email", f"{user}@acme.com") if one[0] == "user_id" and chance.random() < 0.2 else None
        drawn.append((*one, *(other or ("domain_userid", cookie)), hour))
    return drawn


def tell(seen: list[Seen]) -> pa.Table:
    """Give what `identity_news` gives of events."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for kind_a, value_a, kind_b, value_b, hour in sorted(seen, key=lambda one: one[-1]):
        at = START + timedelta(hours=hour)
        week = (at - timedelta(days=at.weekday())).date()
        pair = (kind_a, value_a, kind_b, value_b, week)
        row = rows.setdefault(pair, dict(zip(NEWS.names, (*pair, at, at, 0, f"e{hour:05}{value_b}"), strict=True)))
        row["last_seen_tstamp"] = at
        row["weekdays"] |= 1 << at.weekday()
    return pa.Table.from_pylist(list(rows.values()), NEWS)


Asking = Callable[[duckdb.DuckDBPyConnection], Any]


def update(lake: Lake, seen: list[Seen], settings: IdentitySettings = USUAL, *, ask: Asking = lambda _: None) -> Any:
    """Bring the tables up to what was seen, and give what a later model of the build would find."""
    with duckdb.connect() as connection:
        load_delta(connection)
        view_tables(connection, lake)
        connection.register("told", tell(seen))
        connection.execute("create table identity_news as select * from told")
        update_identity(connection.cursor(), lake, Orders.of(settings, PairRules()), is_full=False)
        return ask(connection.cursor())


def tables(lake: Lake) -> dict[str, list[str]]:
    return {name: sorted(str(row) for row in lake.read(name).to_pylist()) for name in WHOLE}


def files(lake: Lake, table: str) -> dict[date, set[str]]:
    """Name the files of each week."""
    found: dict[date, set[str]] = {}
    delta = lake.delta(table)
    added = pa.table(delta.get_add_actions(flatten=True))
    (part,) = delta.metadata().partition_columns
    for week, path in zip(added[f"partition.{part}"].to_pylist(), added["path"].to_pylist(), strict=True):
        found.setdefault(week, set()).add(path)
    return found


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    yield Lake(str(tmp_path / "lake"))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("settings", [USUAL, IdentitySettings(burst={"links": 2})], ids=["usual", "burst"])
def test_batches_in_any_order_and_twice_give_what_all_at_once_gives(
    lake: Lake, tmp_path: Path, settings: IdentitySettings, seed: int
) -> None:
    chance = Random(seed)
    seen = draw(chance, 120)
    whole = Lake(str(tmp_path / "whole"))
    update(whole, seen, settings)
    chance.shuffle(seen)
    for batch in (seen[:50], seen[50:90], seen[40:70], seen[90:]):
        update(lake, batch, settings)
    assert tables(lake) == tables(whole)
    assert all(tables(whole)[name] for name in WHOLE)


def test_an_object_store_gives_what_a_folder_gives(lake: Lake, tmp_path: Path) -> None:
    seen = draw(Random(3), 120)
    (tmp_path / "store").mkdir()
    store = Lake(f"file://{tmp_path}/store")  # which is read as any store by URL is
    for batch in (seen[:80], seen[70:]):
        expected = update(lake, batch, ask=touched)
        assert update(store, batch, ask=touched) == expected
    assert tables(store) == tables(lake)
    store.overwrite("likely", pa.Table.from_pylist([{**LIKELY, "score": 0.99}]))
    lake.overwrite("likely", pa.Table.from_pylist([{**LIKELY, "score": 0.99}]))
    linked = IdentitySettings(links="likely")
    assert update(store, [], linked, ask=touched) == update(lake, [], linked, ask=touched)
    store.overwrite(IDENTITY_NEWS.name, tell(seen))
    resolve_news(store, Orders.of(linked, PairRules()), tmp_path, is_full=True)
    assert tables(store) == tables(lake)


def test_of_a_week_only_the_first_and_the_last_sighting_count_however_they_came(lake: Lake, tmp_path: Path) -> None:
    ada = [("user_id", "ada", "domain_userid", "c1", hour) for hour in (1, 5, 9)]
    bob = ("user_id", "bob", "domain_userid", "c1", 3)
    whole = Lake(str(tmp_path / "whole"))
    update(whole, [*ada, bob])
    for batch in ([ada[0], bob], [ada[1]], [ada[2]]):
        update(lake, batch)
    assert tables(lake) == tables(whole)


class EndedError(Exception):
    """The process ends here."""


class Ending(Lake):
    """A lake whose process ends before one of its commits."""

    def __init__(self, uri: str, commits: int) -> None:
        super().__init__(uri)
        self.left = commits

    def committing(self, table: str, attempt: Callable[[], Any], **how: Any) -> Any:
        if not self.left:
            raise EndedError
        self.left -= 1
        return super().committing(table, attempt, **how)


@pytest.mark.parametrize("commits", range(8))
def test_an_update_that_was_cut_off_is_made_good_by_the_next(lake: Lake, tmp_path: Path, commits: int) -> None:
    chance = Random(9)
    seen = draw(chance, 120)
    before, news, later = seen[:60], seen[60:90], seen[90:]
    whole = Lake(str(tmp_path / "whole"))
    update(whole, seen)
    update(lake, before)
    ending = Ending(lake.uri, commits)
    try:
        update(ending, news)
    except EndedError:
        assert commits < 6
    update(lake, [*news, *later])
    assert tables(lake) == tables(whole)


def test_an_update_writes_only_files_of_weeks_in_which_a_row_differs(lake: Lake) -> None:
    weeks = 6
    seen = [("user_id", f"u{n}", "domain_userid", f"c{n}", 24 * n) for n in range(7 * weeks)]
    update(lake, seen)
    names = [table.name for table in (IDENTITY_EDGES, *OUTCOMES) if table.partition]
    before = {name: files(lake, name) for name in names}
    # Two known users come again in the last week: one with a new cookie, one with the cookie of another.
    last = 24 * 7 * weeks - 1
    update(lake, [("user_id", "u1", "domain_userid", "c99", last), ("user_id", "u36", "domain_userid", "c37", last)])
    for name in names:
        after = files(lake, name)
        assert after.keys() == before[name].keys()
        assert len(after) == weeks
        assert [week for week in sorted(after) if after[week] != before[name][week]] == [max(after)], name


def test_new_links_of_one_day_beyond_the_declared_ones_are_conflicts(lake: Lake) -> None:
    seen = [("email", "till@acme.com", "domain_userid", f"c{hour}", hour) for hour in (0, 5, 23, 28, 60)]
    update(lake, seen, IdentitySettings(burst={"links": 2, "days": 1}))
    refused = {(row["value_b"], row["reason"]) for row in lake.read("identity_conflicts").to_pylist()}
    assert refused == {("c23", "burst"), ("c28", "burst")}
    update(lake, [], USUAL)
    assert lake.read("identity_conflicts").num_rows == 0


def test_files_are_cut_small_in_the_order_of_time_and_upkeep_leaves_them_so(lake: Lake) -> None:
    seen = [("user_id", f"u{n}", "domain_userid", f"{n:032}", n * 100 // 60_000) for n in range(60_000)]
    Random(1).shuffle(seen)
    update(lake, seen)
    (paths,) = files(lake, IDENTITY_IDENTIFIERS.name).values()
    assert len(paths) > 3
    spans = pa.table(lake.delta(IDENTITY_IDENTIFIERS.name).get_add_actions(flatten=True))
    hours = [
        (most - least) / timedelta(hours=1)
        for least, most in zip(
            spans["min.first_seen_tstamp"].to_pylist(), spans["max.first_seen_tstamp"].to_pylist(), strict=True
        )
    ]
    assert sorted(hours)[len(hours) // 2] < 50  # of 100; one or another file holds the rest of all
    tend(lake, UpkeepSettings(min_small_files=2), datetime(2026, 5, 1, tzinfo=UTC))
    assert files(lake, IDENTITY_IDENTIFIERS.name).popitem()[1] == paths


def test_many_updates_of_a_week_leave_few_files(lake: Lake) -> None:
    for batch in range(8):
        news = [
            ("user_id", f"u{n}", "domain_userid", f"c{n}", batch) for n in range(batch * 2_000, (batch + 1) * 2_000)
        ]
        update(lake, news)
    assert [len(paths) for paths in files(lake, IDENTITY_EDGES.name).values()] == [1]
    assert [len(paths) for paths in files(lake, IDENTITY_IDENTIFIERS.name).values()] == [2]


def touched(cursor: duckdb.DuckDBPyConnection) -> tuple[dict[str, str], set[tuple[str, str]]]:
    people = cursor.execute("select value, person_id from identity_touched").fetchall()
    edges = cursor.execute("select value_a, value_b from identity_touched_edges").fetchall()
    return dict(people), set(edges)


def test_whole_clusters_that_news_concern_are_left_for_the_models_after(lake: Lake) -> None:
    seen = [("user_id", f"u{n}", "domain_userid", f"c{n}", n) for n in range(4)]
    people, edges = update(lake, seen, ask=touched)
    assert (len(people), len(edges)) == (8, 4)
    again = [("user_id", "u1", "domain_userid", "c9", 50), ("", "", "domain_userid", "c2", 51)]
    expected = (
        {"u1": "c1", "c1": "c1", "c9": "c1", "u2": "c2", "c2": "c2"},
        {("u1", "c1"), ("u1", "c9"), ("u2", "c2")},
    )
    assert update(lake, again, ask=touched) == expected
    assert update(lake, again, ask=touched) == expected
    assert update(lake, [], ask=touched) == ({}, set())
    people, edges = update(lake, [], IdentitySettings(max_links=7), ask=touched)
    assert (len(people), len(edges)) == (9, 5)
