"""A merge of what a model gives: the rows are those of a plain replacement, and only files with a difference change."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.lake import UpkeepSettings, files, rewrite
from catchment.lake.delta_views import load_delta, view_table
from catchment.lake.key_index import KeyIndex
from catchment.lake.lake import Lake
from catchment.lake.merge import HELD, Merge, Standing, merge_changed
from catchment.lake.upkeep import tend
from catchment.lake.whole import replace_whole
from catchment.tables import MODEL_BUILDS

PARTS = ["a", "b", "ä /%", None]
SCHEMA = pa.schema(
    [("id", pa.int64()), ("part", pa.string()), ("note", pa.string()), ("seen", pa.timestamp("us", "UTC"))]
)
TABLE = "notes"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        load_delta(connection)
        yield connection


def draw_rows(chance: Random, ids: range) -> list[dict[str, Any]]:
    chosen = chance.sample(ids, chance.randint(0, len(ids)))
    return [draw_row(chance, number) for number in chosen]


def draw_row(chance: Random, number: int) -> dict[str, Any]:
    moment = chance.choice([None, datetime(2026, 3, chance.randint(1, 28), 1, 2, 3, 456789, tzinfo=UTC)])
    return {"id": number, "part": chance.choice(PARTS), "note": chance.choice([None, "x", "y"]), "seen": moment}


def put(lake: Lake, rows: list[dict[str, Any]], by: str | None = "part") -> None:
    lake.overwrite(TABLE, pa.Table.from_pylist(rows, schema=SCHEMA), partition_by=by)


def give(cursor: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], schema: pa.Schema = SCHEMA) -> None:
    cursor.register("given", pa.Table.from_pylist(rows, schema=schema))
    cursor.execute("create or replace table built as select * from given")


def of(scope: str | None = None, by: str | None = "part") -> Merge:
    return Merge(TABLE, "built", ("id",), scope, by, None)


def told(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(map(str, pa.Table.from_pylist(rows, schema=SCHEMA).to_pylist()))


def rows_of(lake: Lake) -> list[str]:
    return told(lake.read(TABLE).to_pylist())


def paths(lake: Lake) -> set[str]:
    return set(pa.table(lake.delta(TABLE).get_add_actions())["path"].to_pylist())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), few=st.sampled_from([1, 3, 100]), memory=st.sampled_from([0, 1000]))
def test_what_was_given_stands_what_is_gone_is_gone_and_all_else_is_untouched(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, seed: int, few: int, memory: int
) -> None:
    chance = Random(seed)
    monkeypatch.setattr(files, "FEW_ROWS", few)
    monkeypatch.setattr(rewrite, "ROWS_IN_MEMORY", memory)
    monkeypatch.setattr(files, "ROWS_IN_MEMORY", memory)
    by, index = chance.choice(["part", None]), chance.choice([None, KeyIndex()])
    stood = draw_rows(chance, range(30))
    put(lake, stood, by)
    for _ in range(3):
        new, after = draw_rows(chance, range(40)), chance.randint(0, 40)
        new_ids = {row["id"] for row in new}
        stood = [row for row in stood if row["id"] not in new_ids and row["id"] < after] + new
        looked_up = f"id in (select unnest(range({after}, 40)))"
        asked = of(chance.choice([f"id >= {after}", looked_up]), by)
        known = Standing(cursor, lake, replace(asked, built=None), index) if chance.random() < 0.5 else None
        give(cursor, new)
        merge_changed(cursor, lake, asked, known, index=index)
        assert rows_of(lake) == told(stood)
        view_table(cursor, lake, TABLE)
        late = "seen >= '2026-03-15 00:00:00+00'"
        assert cursor.execute(f"select count(*) from {TABLE} where {late}").fetchall() == [
            (sum(row["seen"] is not None and row["seen"].day >= 15 for row in stood),)
        ]
        version = lake.version(TABLE)
        assert merge_changed(cursor, lake, asked, index=index) == 0
        assert lake.version(TABLE) == version


def test_the_rows_that_a_model_is_about_to_make_are_read_once_and_shown_to_it(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"id": number, "part": "a", "note": "old", "seen": None} for number in range(9)]
    put(lake, rows)
    read = files.Files.each
    read_of: list[list[str]] = []

    def watch(self: files.Files, some: list[files.File], columns: list[str]) -> Iterator[pa.Table]:
        read_of.extend(columns for _ in some)
        return read(self, some, columns)

    monkeypatch.setattr(files.Files, "each", watch)
    standing = Standing(cursor, lake, replace(of("id < 3"), built=None))
    assert sorted(cursor.execute(f"select id, note from {HELD}").fetchall()) == [(n, "old") for n in range(3)]
    give(cursor, [{**row, "note": "new"} for row in rows[:2]])
    assert merge_changed(cursor, lake, of("id < 3"), standing) == 3
    assert sorted(row["id"] for row in lake.read(TABLE).to_pylist()) == [0, 1, *range(3, 9)]
    assert read_of == [["id"], SCHEMA.names]  # to find them, and to show them and write the others again


def test_rows_read_before_are_not_trusted_where_the_table_has_changed_since(
    lake: Lake, cursor: duckdb.DuckDBPyConnection
) -> None:
    rows = [{"id": number, "part": "a", "note": "old", "seen": None} for number in range(4)]
    put(lake, rows)
    standing = Standing(cursor, lake, replace(of("id < 3"), built=None))
    put(lake, rows[1:])
    give(cursor, rows[1:3])
    assert merge_changed(cursor, lake, of("id < 3"), standing) == 0
    assert rows_of(lake) == told(rows[1:])


@pytest.mark.parametrize("scope", [None, "true", "id in (select 1)"])
def test_rows_may_come_to_an_empty_table(lake: Lake, cursor: duckdb.DuckDBPyConnection, scope: str | None) -> None:
    rows = [{"id": number, "part": "a", "note": "new", "seen": None} for number in range(3)]
    give(cursor, [])
    replace_whole(cursor, lake, of())
    give(cursor, rows)
    assert merge_changed(cursor, lake, of(scope)) == 3
    assert rows_of(lake) == told(rows)


def test_rows_may_go_where_none_come(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> None:
    rows = [{"id": number, "part": None, "note": "old", "seen": None} for number in range(9)]
    put(lake, rows, None)
    give(cursor, [])
    assert merge_changed(cursor, lake, of("id in (select unnest([1, 2, 77]))", None)) == 2
    assert rows_of(lake) == told([rows[0], *rows[3:]])


def test_only_files_with_a_difference_are_rewritten(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FEW_ROWS", 10)
    monkeypatch.setattr(files, "MOST_FILES", 10)
    rows = [{"id": number, "part": "a", "note": "old", "seen": None} for number in range(100)]
    put(lake, rows[:1])
    give(cursor, rows)
    merge_changed(cursor, lake, of())
    before = paths(lake)
    assert len(before) == 10
    give(cursor, [{**rows[5], "note": "new"}, *rows[6:]])
    assert merge_changed(cursor, lake, of()) == 1
    assert len(before - paths(lake)) == len(paths(lake) - before) == 1


def test_new_rows_join_a_file_that_has_room(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> None:
    put(lake, [{"id": 0, "part": "a", "note": None, "seen": None}])
    for number in range(1, 5):
        give(cursor, [{"id": number, "part": "a", "note": None, "seen": None}])
        merge_changed(cursor, lake, of())
    assert (len(paths(lake)), len(rows_of(lake))) == (1, 5)


def test_a_person_who_is_forgotten_meanwhile_stays_forgotten(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(lake, [{"id": number, "part": "a", "note": "old", "seen": None} for number in range(3)])
    give(cursor, [{"id": 1, "part": "a", "note": "new", "seen": None}])
    commit = files.Files.replace
    forgotten: list[int] = []

    def forget_first(self: files.Files, *change: Any) -> None:
        if not forgotten:
            forgotten.append(2)
            lake.delta(TABLE).delete("id = 2")
        commit(self, *change)

    monkeypatch.setattr(files.Files, "replace", forget_first)
    merge_changed(cursor, lake, of())
    assert {row["id"]: row["note"] for row in lake.read(TABLE).to_pylist()} == {0: "old", 1: "new"}


def test_a_model_that_tells_one_more_column_gives_it_to_the_table(
    lake: Lake, cursor: duckdb.DuckDBPyConnection
) -> None:
    put(lake, [{"id": number, "part": "a", "note": "old", "seen": None} for number in range(2)])
    give(cursor, [{"id": 1, "part": "b", "day": date(2026, 3, 1)}], pa.schema([*SCHEMA, ("day", pa.date32())]))
    merge_changed(cursor, lake, of())
    found = {row["id"]: (row["part"], row["note"], row["day"]) for row in lake.read(TABLE).to_pylist()}
    assert found == {0: ("a", "old", None), 1: ("b", None, date(2026, 3, 1))}


def test_a_table_that_is_replaced_is_cut_as_merges_cut_it(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> None:
    rows = [{"id": number, "part": PARTS[number % 4], "note": str(number), "seen": None} for number in range(20_000)]
    give(cursor, rows)
    replace_whole(cursor, lake, of())
    assert rows_of(lake) == told(rows)
    assert sorted(pa.table(lake.delta(TABLE).get_add_actions())["num_records"].to_pylist()) == [1666] * 4 + [1667] * 8
    before = paths(lake)
    give(cursor, [rows[0] | {"note": "other"}])
    merge_changed(cursor, lake, of())
    assert len(before - paths(lake)) == 1
    assert len(paths(lake)) == 12


def test_a_table_that_is_replaced_has_the_columns_of_the_new_rows(
    lake: Lake, cursor: duckdb.DuckDBPyConnection
) -> None:
    put(lake, [{"id": 1, "part": "a", "note": "x", "seen": None}])
    cursor.execute("create or replace table built as select 2 as id, 'b' as part, timestamp '2026-03-01' as naive")
    replace_whole(cursor, lake, of())
    assert lake.read(TABLE).to_pylist() == [{"id": 2, "part": "b", "naive": datetime(2026, 3, 1)}]


def test_a_file_has_no_columns_that_none_of_its_rows_tells(lake: Lake, cursor: duckdb.DuckDBPyConnection) -> None:
    rows = [{"id": number, "part": "a", "note": None, "seen": None} for number in range(3)]
    give(cursor, rows)
    replace_whole(cursor, lake, of())
    assert parquet.read_schema(lake.delta(TABLE).file_uris()[0]).names == ["id"]
    assert rows_of(lake) == told(rows)
    give(cursor, [rows[0] | {"note": "x"}])
    merge_changed(cursor, lake, of())
    assert rows_of(lake) == told([rows[0] | {"note": "x"}, *rows[1:]])
    view_table(cursor, lake, TABLE)
    assert cursor.execute(f"select id, note, seen from {TABLE} order by id").fetchall()[0] == (0, "x", None)


def test_upkeep_leaves_the_files_of_merged_models_as_merges_cut_them(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FEW_ROWS", 1)
    put(lake, [])
    give(cursor, [{"id": number, "part": "a", "note": None, "seen": None} for number in range(20)])
    merge_changed(cursor, lake, of())
    built = [{"model": TABLE, "fingerprint": "", "events_version": 0, "mapping_version": 0, "built_at": None}]
    lake.overwrite(MODEL_BUILDS.name, pa.Table.from_pylist(built, schema=MODEL_BUILDS.schema))
    before = paths(lake)
    tend(lake, UpkeepSettings(min_small_files=2), datetime(2026, 3, 1, tzinfo=UTC))
    assert paths(lake) == before
    assert len(before) == 20
