"""Files in a folder: what stands in them, and that they are there whole, once, and in order."""

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow.csv
import pyarrow.parquet
import pytest

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch
from catchment.activate.caller import Unanswered, open_caller
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import SettingsError

from ..conftest import World

FIELDS = {
    "email": "email",
    "seconds": {"column": "engaged_time_in_s", "type": "integer"},
    "seen": {"column": "last_seen_tstamp", "type": "timestamp"},
    "day": {"column": "last_seen_tstamp", "type": "date"},
    "place": {"object": {"country": "country"}},
}


def folder_of(url: str, folder: Path) -> Destination:
    block = {"type": "files", "url": url}
    return open_destination(ActivateSettings(destinations={"files": block}), "files", folder)


def declared(**changes: Any) -> Sync:
    content = {"name": "list", "destination": "files", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "mode": "snapshot", "fields": FIELDS, **changes}, "syncs/list.yml")


def test_a_snapshot_replaces_the_last_with_all_its_parts(world: World, people: Any, tmp_path: Path) -> None:
    files, sync = folder_of(f"{tmp_path}/out", tmp_path), declared(target={"rows": 2})
    world.settle(people(5))
    world.carry(sync, files)
    names = ["list-00002.csv", "list-00003.csv", "list.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    world.settle(people(1))
    world.carry(sync, files)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["list.csv"]
    table = pyarrow.csv.read_csv(tmp_path / "out/list.csv")
    assert table.column_names == ["id", *FIELDS] and table.num_rows == 1
    assert table["place"].to_pylist() == ['{"country":"DE"}']


def test_parquet_keeps_types_and_nests(world: World, people: Any, tmp_path: Path) -> None:
    crowd = people(2)
    crowd[1] |= {"engaged_time_in_s": None, "last_seen_tstamp": None}
    world.settle(crowd)
    world.carry(declared(target={"format": "parquet", "name": "people"}), folder_of(f"{tmp_path}", tmp_path))
    rows = pyarrow.parquet.read_table(tmp_path / "people.parquet").to_pylist()
    assert (rows[0]["seconds"], rows[1]["seconds"]) == (0, None)
    assert rows[0]["seen"] == datetime(2026, 4, 30, 12, tzinfo=UTC) and rows[0]["day"] == date(2026, 4, 30)
    assert rows[1]["place"] == {"country": "DE"}


def test_events_are_lines_of_json_each_once(world: World, people: Any, tmp_path: Path) -> None:
    files = folder_of(f"{tmp_path}/out", tmp_path)
    sync = declared(mode="event", target={"format": "jsonl", "gzip": True})
    for count in (2, 2, 3):
        world.settle(people(count))
        world.carry(sync, files)
    paths = sorted((tmp_path / "out/list").iterdir())
    lines = [orjson.loads(line) for path in paths for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert [line["id"] for line in lines] == ["p0000", "p0001", "p0002"]


def test_a_batch_that_comes_again_is_the_same_file(tmp_path: Path) -> None:
    files, sync = folder_of(f"{tmp_path}/out", tmp_path), declared(mode="event", fields={})
    with open_caller() as caller:
        for run_id in ("one", "two"):
            files.send(Batch(sync, "event", [{"id": "a"}], ("a",), "batch", run_id), caller)
    assert len(list((tmp_path / "out/list").iterdir())) == 1


def test_a_store_that_is_none_and_a_folder_that_is_closed_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"activate\.destinations\.files"):
        folder_of("nowhere://bucket", tmp_path).check()
    (tmp_path / "file").touch()
    sync = declared(fields={})
    with open_caller() as caller, pytest.raises(Unanswered, match=r"[Nn]ot a directory"):
        folder_of(f"{tmp_path}/file/out", tmp_path).send(Batch(sync, "upsert", [{"id": "a"}], ("a",), "b"), caller)
