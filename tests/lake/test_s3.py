"""A lake in an object store, by a local S3 server: conditional puts let two writers at once lose nothing."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge, merge_changed
from tests.lake.test_upkeep import events
from tests.object_store import object_store, options

ROWS = 12
EACH = 3 * ROWS
URI = "s3://lake/acme"


def append(url: str, own: str, first: int) -> None:
    """Be a writer: commit the slices of the log that both have, and in between those of a log of its own."""
    lake = Lake(URI, options(url))
    for number in range(0, EACH, ROWS):
        lake.append("events", events(first=number, count=ROWS), app_id="shared", offset=number + ROWS - 1)
        lake.append("events", events(first=first + number, count=ROWS), app_id=own, offset=first + number + ROWS - 1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with object_store() as url:
        yield url


def test_a_merge_in_an_object_store_writes_files_beside_those_it_keeps(server: str) -> None:
    lake = Lake("s3://lake/merged", options(server))
    lake.overwrite("notes", pa.table({"id": [1, 2], "part": ["a b", "c"], "note": ["old", "old"]}), partition_by="part")
    before = set(lake.delta("notes").file_uris())
    with duckdb.connect() as connection:
        connection.execute("create table built as select 1 as id, 'a b' as part, 'new' as note")
        merge_changed(connection, lake, Merge("notes", "built", ("id",), None, "part", None))
    assert sorted(lake.read("notes", ["id", "note"]).to_pylist(), key=lambda row: row["id"]) == [
        {"id": 1, "note": "new"},
        {"id": 2, "note": "old"},
    ]
    assert len(before & set(lake.delta("notes").file_uris())) == 1


def test_two_writers_in_an_object_store_lose_and_double_nothing_and_the_engine_reads_it(
    server: str, tmp_path: Path
) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append, args=(server, f"own-{first}", first)) for first in (1_000, 2_000)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=120)

    lake = Lake(URI, options(server))
    ids = lake.read("events", ["event_id"])["event_id"].to_pylist()
    with open_engine(LakeSettings(), tmp_path).attach(lake) as session:
        counted = session.query("select count(*) as n from events where event_name = 'page_view'").read_all()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert len(ids) == len(set(ids)) == 3 * EACH
    assert set(ids) == {f"e{first + number}" for first in (0, 1_000, 2_000) for number in range(EACH)}
    assert counted["n"].to_pylist() == [sum(int(id_[1:]) % 3 == 0 for id_ in ids)]
    assert lake.tables() == ["events"]
