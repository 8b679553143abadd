"""A Delta table outside the lake: merged by our key, each row once, and only who left taken out."""

from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch
from catchment.activate.caller import open_caller
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination

from ..conftest import World


def share(folder: Path) -> Destination:
    block = {"type": "delta", "url": f"{folder}/share"}
    return open_destination(ActivateSettings(destinations={"share": block}), "share", folder)


def declared(**changes: Any) -> Sync:
    content = {"name": "shared", "destination": "share", "model": "people", "target": {"table": "people"}}
    fields = {"email": "email", "seconds": {"column": "engaged_time_in_s", "type": "integer"}}
    keys = {"identifiers": {"id": "person_id"}, "fields": fields}
    return parse_sync({**content, **keys, **changes}, "syncs/shared.yml")


def rows(folder: Path) -> list[dict[str, Any]]:
    held = DeltaTable(f"{folder}/share/people").to_pyarrow_table().to_pylist()
    return sorted(held, key=lambda row: str(row["id"]))


def test_the_table_follows_changes_clears_and_leavers(world: World, people: Any, tmp_path: Path) -> None:
    crowd = people(3)
    crowd[0]["email"] = None
    world.settle(crowd)
    world.carry(declared(), share(tmp_path))
    assert [(row["id"], row["email"], row["seconds"]) for row in rows(tmp_path)] == [
        ("p0000", None, 0),
        ("p0001", "p1@acme.co", 1),
        ("p0002", "p2@acme.co", 2),
    ]
    crowd[1] |= {"email": None, "engaged_time_in_s": 9}
    world.settle(crowd[:2])
    world.carry(declared(), share(tmp_path))
    assert [(row["id"], row["email"], row["seconds"]) for row in rows(tmp_path)] == [
        ("p0000", None, 0),
        ("p0001", None, 9),
    ]
    assert world.carry(declared(), share(tmp_path)).unchanged == 2


def test_an_event_that_comes_again_in_another_batch_is_there_once(tmp_path: Path) -> None:
    sync = declared(mode="event", fields={})
    with open_caller() as caller:
        for name in ("one", "two"):
            share(tmp_path).send(Batch(sync, "event", [{"id": "a"}, {"id": name}], ("a", name), name), caller)
    assert [row["id"] for row in rows(tmp_path)] == ["a", "one", "two"]
