"""Files behind a real SFTP server: who is talked to, and that a file appears whole and once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from catchment.activate import ActivateSettings
from catchment.activate.batch import Batch
from catchment.activate.caller import Unanswered, open_caller
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.errors import CredentialsError, SettingsError
from tests.ports import free_port

from ..conftest import World
from ..sftp_server import PASSWORD, Served, sftp_server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with sftp_server(tmp_path / "served") as served:
        yield served


def behind(served: Served, url: str | None = None, **options: str) -> Destination:
    given = {name: value for name, value in {**served.options(), **options}.items() if value}
    block = {"type": "files", "url": url or served.url(), "options": given}
    return open_destination(ActivateSettings(destinations={"drop": block}), "drop", served.folder)


def declared(**changes: Any) -> Sync:
    content = {"name": "list", "destination": "drop", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "mode": "snapshot", **changes}, "syncs/list.yml")


def files_of(served: Served) -> list[str]:
    return sorted(str(path.relative_to(served.folder)) for path in served.folder.rglob("*") if path.is_file())


def test_a_snapshot_appears_by_being_renamed_and_takes_the_place_of_the_last(
    world: World, people: Any, served: Served
) -> None:
    drop, sync = behind(served), declared(target={"rows": 2})
    drop.check()
    world.settle(people(3))
    assert world.carry(sync, drop).sent == 3
    assert files_of(served) == ["in/list-00002.csv", "in/list.csv"]
    assert served.renames[0] == ("/in/list.csv.part", "/in/list.csv")
    world.settle(people(1))
    assert world.carry(sync, drop).sent == 1
    assert files_of(served) == ["in/list.csv"]
    assert (served.folder / "in/list.csv").read_text().splitlines() == ['"id"', '"p0000"']


def test_a_batch_that_comes_again_is_the_same_file(served: Served) -> None:
    drop, sync = behind(served), declared(mode="event")
    with open_caller() as caller:
        for run_id in ("one", "two"):
            drop.send(Batch(sync, "event", [{"id": "p1"}], ("p1",), id="b1", run_id=run_id), caller)
            drop.close()
    assert len(files_of(served)) == 1


def test_a_key_opens_it_too(served: Served, tmp_path: Path) -> None:
    behind(served, password="", key=served.user_key).check()
    (tmp_path / "id").write_text(served.user_key)
    behind(served, password="", key_file=str(tmp_path / "id")).check()
    with pytest.raises(SettingsError, match=r"activate\.destinations\.drop\.options\.key is no key"):
        behind(served, password="", key="not one").check()


def test_a_server_that_is_not_known_is_not_talked_to(served: Served, tmp_path: Path) -> None:
    (tmp_path / "known").write_text(f"[127.0.0.1]:{served.port} {served.host_key}")
    behind(served, host_key="", known_hosts=str(tmp_path / "known")).check()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    (tmp_path / "other").write_text(f"[127.0.0.1]:{served.port} {other}")
    for options in ({"host_key": other}, {"host_key": "", "known_hosts": str(tmp_path / "other")}):
        with pytest.raises(SettingsError, match="did not show a key that is known") as refused:
            behind(served, **options).check()
        assert "ssh-keyscan" in refused.value.hint


def test_a_wrong_password_is_named_by_its_setting_and_never_repeated(served: Served) -> None:
    with pytest.raises(CredentialsError) as refused:
        behind(served, password="wrong").check()
    assert "activate.destinations.drop" in refused.value.hint and "wrong" not in str(refused.value)
    url = f"sftp://cdp:{PASSWORD}@127.0.0.1:{served.port}/in"
    with pytest.raises(SettingsError, match=r"options\.password") as refused_url:
        behind(served, url)
    assert PASSWORD not in str(refused_url.value)


def test_what_a_server_did_not_take_comes_again(world: World, people: Any, served: Served) -> None:
    world.settle(people(2))
    drop, sync = behind(served), declared(mode="upsert")
    served.is_full = True
    report = world.carry(sync, drop)
    assert (report.sent, report.unknown) == (0, 2) and files_of(served) == []
    served.is_full = False
    assert world.carry(sync, drop).sent == 2


def test_a_folder_that_may_not_be_written_and_a_server_that_is_not_there_are_told_apart(served: Served) -> None:
    port = free_port()
    with pytest.raises(Unanswered):
        behind(served, f"sftp://cdp@127.0.0.1:{port}/in").check()
    with pytest.raises(SettingsError, match="must read sftp://USER@HOST"):
        behind(served, f"sftp://127.0.0.1:{served.port}/in").check()
    with pytest.raises(SettingsError, match=r"options\.pasword is none of SFTP's"):
        behind(served, pasword="x").check()
