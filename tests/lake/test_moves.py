"""What moved in user_mapping since some of its versions: what a comparison of all rows of each tells too."""

from pathlib import Path
from random import Random

import duckdb
import pyarrow as pa
import pytest

from catchment.lake import files
from catchment.lake.delta_views import load_delta
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge, merge_changed
from catchment.lake.moves import MAPPING, show_moves

SCHEMA = pa.schema([("domain_userid", pa.string()), ("user_id", pa.string()), ("person_id", pa.string())])


def draw(chance: Random) -> pa.Table:
    cookies = chance.sample(range(40), 25)
    rows = [{"domain_userid": f"c{n}", "user_id": None, "person_id": f"p{chance.randint(n, n + 1)}"} for n in cookies]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def put(cursor: duckdb.DuckDBPyConnection, lake: Lake, rows: pa.Table) -> None:
    cursor.register("given", rows)
    cursor.execute("create or replace table built as select * from given")
    merge_changed(cursor, lake, Merge(MAPPING, "built", ("domain_userid",), "true", None, None))


def rows_of(table: pa.Table) -> set[tuple[str, ...]]:
    return {tuple(row.values()) for row in table.to_pylist()}


@pytest.mark.parametrize("seed", range(5))
def test_moves_are_those_of_a_comparison_with_all_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(files, "FEW_ROWS", 3)
    chance, lake = Random(seed), Lake(str(tmp_path))
    versions = [draw(chance)]
    lake.overwrite(MAPPING, versions[0])
    with duckdb.connect() as cursor:
        load_delta(cursor)
        for _ in range(3):
            versions.append(draw(chance) if chance.random() < 0.5 else versions[-1].slice(1))
            put(cursor, lake, versions[-1])
        assert lake.version(MAPPING) == 3
        for oldest in range(3):
            show_moves(cursor, lake, range(oldest, 3))
            now, then = rows_of(versions[3]), [rows_of(table) for table in versions[oldest:3]]
            differ = set.union(*(rows ^ now for rows in then))
            moved = {row[0] for row in cursor.execute("select domain_userid from moved_cookies").fetchall()}
            assert moved == {cookie for cookie, _, _ in differ}
            former = set(cursor.execute("select * from former_mapping").fetchall())
            assert set.union(*(rows - now for rows in then)) <= former <= set.union(*then)
        show_moves(cursor, lake, ())
        assert cursor.execute("select * from moved_cookies").fetchall() == []
