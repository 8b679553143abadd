"""A Singer target in a process of its own: what may be called sent, and what of a target that dies half-way."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from catchment.activate import ActivateSettings
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.activate.destinations import singer as plugin
from catchment.errors import SettingsError

from .. import singer_target
from ..conftest import World

FIELDS = {
    "email": "email",
    "seconds": "engaged_time_in_s",
    "seen": {"column": "last_seen_tstamp", "type": "timestamp"},
    "place": {"object": {"country": "country"}},
}


def target(folder: Path, password: str = "right", **settings: Any) -> Destination:
    block = {
        "type": "singer",
        "command": [sys.executable, str(singer_target.__file__)],
        "config": {"folder": str(folder)},
        "secrets": {"password": password},
        **settings,
    }
    return open_destination(ActivateSettings(destinations={"loader": block}), "loader", folder)


def misbehave(folder: Path, **faults: Any) -> None:
    """Order faults of every run of the target from now on; without any, it is well again."""
    (folder / "faults.json").write_bytes(orjson.dumps(faults))


def declared(**changes: Any) -> Sync:
    content = {"name": "load", "destination": "loader", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "target": {"stream": "people"}, "fields": FIELDS, **changes}, "syncs/load.yml")


def written(folder: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (folder / "people.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize("echo", ["end", "each", "message"])
def test_rows_before_an_echoed_state_are_sent_and_their_receipts_say_that_no_row_was_spoken_of(
    world: World, people: Any, tmp_path: Path, echo: str
) -> None:
    world.settle(people(3))
    misbehave(tmp_path, echo=echo)
    report = world.carry(declared(), target(tmp_path))
    assert (report.status, report.sent) == ("ok", 3)
    assert {(row["status"], row["code"]) for row in world.receipts(report)} == {("sent", "no_row_status")}
    first = written(tmp_path)[0]
    assert (
        first["place"] == {"country": "DE"} and first["seconds"] == 0 and first["seen"].startswith("2026-04-30T12:00")
    )


def test_a_target_that_never_echoes_a_state_leaves_every_row_unknown(world: World, people: Any, tmp_path: Path) -> None:
    world.settle(people(2))
    misbehave(tmp_path, echo="never")
    report = world.carry(declared(), target(tmp_path))
    assert (report.status, report.sent, report.unknown) == ("incomplete", 0, 2)
    assert {row["code"] for row in world.receipts(report)} == {"no_state"}


def test_of_a_target_that_dies_what_it_confirmed_is_sent_and_the_rest_comes_again(
    world: World, people: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "STATE_EVERY", 2)
    world.settle(people(5))
    misbehave(tmp_path, echo="each", die_after=3)
    report = world.carry(declared(), target(tmp_path))
    assert (report.sent, report.unknown) == (2, 3)
    assert {row["code"] for row in world.receipts(report) if row["status"] == "unknown"} == {"exit 1"}
    misbehave(tmp_path)
    assert world.carry(declared(), target(tmp_path)).sent == 3
    assert [row["id"][-1] for row in written(tmp_path)] == ["0", "1", "2", "2", "3", "4"]


def test_the_last_words_of_a_target_name_nobody_in_a_receipt(world: World, people: Any, tmp_path: Path) -> None:
    world.settle(people(2))
    misbehave(tmp_path, die_after=1)
    report = world.carry(declared(), target(tmp_path))
    (reason,) = {row["reason"] for row in world.receipts(report)}
    assert reason.startswith("KeyError") and "@" not in reason and "***" in reason


def test_an_event_of_which_nobody_knows_is_reported_and_never_sent_again(
    world: World, people: Any, tmp_path: Path
) -> None:
    world.settle(people(3))
    sync = declared(mode="event")
    misbehave(tmp_path, die_after=2)
    assert world.carry(sync, target(tmp_path)).unknown == 3
    assert Counter(row["id"] for row in written(tmp_path)) == {"p0000": 1, "p0001": 1}
    world.carry(sync, target(tmp_path))
    assert len(written(tmp_path)) == 2


def test_a_target_that_hangs_is_ended_and_its_rows_are_unknown(world: World, people: Any, tmp_path: Path) -> None:
    world.settle(people(2))
    misbehave(tmp_path, hang_after=1)
    report = world.carry(declared(), target(tmp_path, timeout_s=1))
    assert {(row["status"], row["code"]) for row in world.receipts(report)} == {("unknown", "exit timeout")}


def test_a_leaver_is_told_of_by_the_column_that_taps_use(world: World, people: Any, tmp_path: Path) -> None:
    world.settle(people(2))
    world.carry(declared(), target(tmp_path))
    world.settle(people(1))
    world.carry(declared(), target(tmp_path))
    *_, last = written(tmp_path)
    assert last["id"] == "p0001" and last["_sdc_deleted_at"]
    assert "right" not in repr(target(tmp_path))


def test_a_program_that_is_not_there_or_refuses_its_settings_is_named_by_its_setting(tmp_path: Path) -> None:
    block = {"type": "singer", "command": ["target-nowhere"]}
    nowhere = open_destination(ActivateSettings(destinations={"loader": block}), "loader", tmp_path)
    with pytest.raises(SettingsError, match=r"activate\.destinations\.loader\.command: 'target-nowhere'"):
        nowhere.check()
    with pytest.raises(SettingsError, match="ended with 1: the password is wrong"):
        target(tmp_path, password="other").check()
