"""The index of keys: it tells where one stands, reads each file but once, and forgets those that are gone."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from catchment.lake import key_index
from catchment.lake.files import File, Files
from catchment.lake.key_index import KEYS, KeyIndex
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge, merge_changed
from catchment.lake.whole import replace_whole

TABLE = "notes"
MERGE = Merge(TABLE, "built", ("id",), "id in (select unnest(range(0, 10)))", None, None, few_rows=50)


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture
def lake(tmp_path: Path, cursor: duckdb.DuckDBPyConnection) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    ids = Random(1).sample(range(2000), 2000)
    cursor.register("given", pa.table({"id": ids, "name": [f"n{number}" if number % 7 else None for number in ids]}))
    cursor.execute("create table built as select * from given")
    replace_whole(cursor, lake, MERGE)
    return lake


def files_of(lake: Lake) -> Files:
    return Files(lake.delta(TABLE), lake.folder(TABLE))


def places(files: Files, column: str, value: object) -> dict[int, list[int]]:
    told = {file.number: files.read([file], [column])[column].to_pylist() for file in files.all}
    held = {file: [place for place, other in enumerate(rows) if other == value] for file, rows in told.items()}
    return {file: found for file, found in held.items() if found}


def find(index: KeyIndex, cursor: duckdb.DuckDBPyConnection, files: Files, column: str, keys: str) -> Any:
    found = index.find(cursor, TABLE, files, files.all, column, keys)
    return {file: rows.tolist() for file, rows in found.items()}


@pytest.mark.parametrize(
    ("column", "value"), [("id", 17), ("id", 1999), ("id", 7777), ("name", "n1000"), ("name", None)]
)
def test_the_places_of_a_key_are_told(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, column: str, value: object
) -> None:
    files = files_of(lake)
    assert len(files.all) > 20
    sought = "null" if value is None else repr(value)
    assert find(KeyIndex(), cursor, files, column, f"select {sought}") == places(files, column, value)
    assert find(KeyIndex(), cursor, files, column, "select 'nobody' where 1 = 0") == {}


def test_a_file_is_read_once_and_what_is_gone_is_forgotten(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read = Files.each

    def watched(files: Files, some: list[File], columns: list[str]) -> Iterator[pa.Table]:
        opened.extend(file.path for file in some)
        return read(files, some, columns)

    monkeypatch.setattr(Files, "each", watched)
    stood = files_of(lake)
    find(KeyIndex(tmp_path / KEYS), cursor, stood, "id", "select 1")
    assert sorted(opened) == sorted(stood.paths)
    cursor.execute("create or replace table built as select 5 as id, 'other' as name")
    merge_changed(cursor, lake, MERGE, index=KeyIndex(tmp_path / KEYS))
    written = files_of(lake).paths - stood.paths
    cursor.execute("create or replace table built as select 1700 as id, 'other' as name")
    merge_changed(cursor, lake, MERGE)  # by somebody who knows no index
    opened.clear()
    now = files_of(lake)
    find(KeyIndex(tmp_path / KEYS), cursor, now, "id", "select 1")
    assert written
    assert set(opened) == now.paths - stood.paths - written
    with sqlite3.connect(tmp_path / KEYS) as known:
        assert {row[0] for row in known.execute("select path from hashes")} == now.paths


def test_another_version_of_the_engine_has_other_hashes(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(KeyIndex(tmp_path / KEYS), cursor, files_of(lake), "id", "select 1")
    with sqlite3.connect(tmp_path / KEYS) as known:
        known.execute("update hashes set hashes = zeroblob(length(hashes))")
    monkeypatch.setattr(key_index, "_ENGINE", 7)
    files = files_of(lake)
    assert find(KeyIndex(tmp_path / KEYS), cursor, files, "id", "select 1") == places(files, "id", 1)


def test_an_index_that_cannot_be_read_is_made_anew(
    lake: Lake, cursor: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    (tmp_path / KEYS).write_bytes(b"no database at all" * 100)
    files = files_of(lake)
    assert find(KeyIndex(tmp_path / KEYS), cursor, files, "id", "select 1") == places(files, "id", 1)
