"""Where a lake may be."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from catchment.errors import LakeError
from catchment.lake import LakeSettings
from catchment.lake.delta_views import load_delta, view_table
from catchment.lake.lake import Lake


@pytest.mark.parametrize("host", ["file://", "file://localhost", "file:"])
def test_a_url_of_this_machine_is_a_folder(host: str, tmp_path: Path) -> None:
    assert Lake.open(LakeSettings(uri=f"{host}{tmp_path}/my%20lake"), Path("project")).uri == f"{tmp_path}/my lake"


def test_a_url_of_another_machine_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="names no folder"):
        Lake.open(LakeSettings(uri="file://server/lake"), tmp_path)


def test_rows_at_a_url_are_filtered_also_after_a_merge(tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path}")
    lake.overwrite("notes", pa.table({"id": ["a", "b", "c"], "note": ["old", "odd", "odd"], "size": [1, 2, 3]}))
    source = pa.table({"id": ["c"]})
    merge = lake.delta("notes").merge(source, "t.id = s.id", source_alias="s", target_alias="t")
    merge.when_matched_delete().execute()
    lake.append("notes", pa.table({"id": ["d", "e"], "note": ["old", "odd"], "size": [4, 5]}))
    with duckdb.connect() as connection:
        load_delta(connection)
        view_table(connection, lake, "notes")
        asked = "select size from notes where note = 'old' order by size"
        assert [connection.cursor().execute(asked).fetchall() for _ in range(2)] == [[(1,), (4,)]] * 2
        assert connection.execute("select count(*) from notes where id in ('b', 'e')").fetchall() == [(2,)]
        assert connection.execute("select count(*) from notes").fetchall() == [(4,)]
    assert lake.read("notes", ["size"], [("note", "=", "odd"), ("id", "in", ["b"])])["size"].to_pylist() == [2]
