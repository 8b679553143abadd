"""Storage that is full, read-only, stalled or spoiled: nothing answered is lost, and all recovers."""

import http.client
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from catchment.collect.spool.segment import PAGE_BYTES
from catchment.errors import LakeError
from catchment.project import Project
from tests.journey.disk import freezable_disk, frozen, protect, run, small_disk
from tests.journey.flow import (
    Load,
    collecting,
    empty_log,
    enrich_for_ever,
    make_project,
    post_events,
    require_exactly_once,
    started,
)

BATCH = 20


class Client:
    """Posts batches of events, and remembers which were kept."""

    def __init__(self, project: Project) -> None:
        self.port = project.settings.collect.port
        self.kept: list[str] = []
        self.unsure: list[str] = []

    def post(self) -> int:
        ids = [str(uuid.uuid4()) for _ in range(BATCH)]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        status = post_events(connection, ids)
        connection.close()
        (self.kept if status == 200 else self.unsure).extend(ids)
        return status

    def health(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        told = answer.status, answer.read().decode()
        connection.close()
        return told

    def post_until(self, status: int) -> None:
        until(lambda: self.post() == status)


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be so"


def require_kept(project: Project, client: Client) -> None:
    empty_log(project)
    times = Counter(project.lake.read("events", ["event_id"])["event_id"].to_pylist())
    assert {id_: times[id_] for id_ in client.kept} == dict.fromkeys(client.kept, 1)
    assert max(times.values()) == 1


def test_a_full_disk_under_spool_and_lake_is_a_503_until_enrichment_has_emptied_the_spool(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "24m"):
        log = {"type": "spool", "keep_free_bytes": 12_000_000, "roll_bytes": 1_000_000}
        project = make_project(tmp_path / "disk/project", log=log)
        client = Client(project)
        with collecting(project):
            client.post_until(503)
            status, why = client.health()
            project.enrich()
            client.post_until(200)
            healthy, _ = client.health()
        require_kept(project, client)

    assert (status, healthy) == (503, 200)
    assert "MB left" in why


def test_a_disk_without_any_space_is_a_503_until_there_is_some(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "2m") as disk:
        log = {"type": "spool", "folder": str(disk / "spool"), "keep_free_bytes": 0, "timeout_s": 2}
        project = make_project(tmp_path / "project", log=log)
        client = Client(project)
        with collecting(project):
            client.post_until(503)
            began = time.monotonic()
            refused = [client.post() for _ in range(5)]
            took = time.monotonic() - began
            status, why = client.health()
            project.enrich()
            client.post_until(200)
        require_kept(project, client)

    assert 503 in refused
    assert took < 5 * 2 + 5
    assert status == 200 or str(disk) in why


def test_a_read_only_spool_is_a_503_that_health_explains_until_it_can_be_written(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "8m") as disk:
        log = {"type": "spool", "folder": str(disk / "spool"), "keep_free_bytes": 0, "roll_s": 0.0, "timeout_s": 2}
        project = make_project(tmp_path / "project", log=log)
        client = Client(project)
        with collecting(project):
            client.post_until(200)
            bind_read_only(disk)
            client.post_until(503)
            status, why = client.health()
            unbind(disk)
            client.post_until(200)
        require_kept(project, client)

    assert status == 503
    assert str(disk) in why


def bind_read_only(disk: Path) -> None:
    """Write-protect what is found under the path; a disk with files open for writing cannot be itself."""
    run("mount", "--bind", str(disk), str(disk))
    run("mount", "-o", "remount,bind,ro", str(disk))


def unbind(disk: Path) -> None:
    run("umount", "--lazy", str(disk))


def test_a_stalled_disk_is_a_503_in_bounded_time_and_goes_on_when_it_does(tmp_path: Path) -> None:
    with freezable_disk(tmp_path / "disk", tmp_path / "image") as disk:
        log = {"type": "spool", "folder": str(disk / "spool"), "keep_free_bytes": 0, "timeout_s": 1}
        project = make_project(tmp_path / "project", log=log)
        client = Client(project)
        with collecting(project):
            client.post_until(200)
            with frozen(disk):
                began = time.monotonic()
                refused = [client.post() for _ in range(6)]
                status, why = client.health()
                took = time.monotonic() - began
            client.post_until(200)
            healthy, _ = client.health()
        require_kept(project, client)

    assert set(refused) == {503}
    assert took < 4
    assert (status, healthy) == (503, 200)
    assert "did not commit within 1" in why


def test_a_read_only_lake_stops_enrichment_loudly_and_loses_nothing(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    lake = Path(project.lake.uri)
    with small_disk(lake, "64m"):
        client = Client(project)
        with collecting(project):
            client.post_until(200)
            empty_log(project)
            protect(lake, is_protected=True)
            client.post_until(200)
            with pytest.raises(LakeError) as raised:
                Project.open(project.folder).enrich()
            waited = project.waiting()
            protect(lake, is_protected=False)
        require_kept(project, client)

    assert str(lake) in str(raised.value)
    assert waited == 1


def test_what_a_spoiled_spool_page_costs_is_told_by_status_and_all_else_reaches_the_lake(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    client = Client(project)
    with collecting(project):
        for _ in range(30):
            assert client.post() == 200
    (wal,) = (tmp_path / ".catchment/spool").glob("*.db-wal")
    with wal.open("r+b") as file:
        file.seek(32 + wal.stat().st_size // 2 // (PAGE_BYTES + 24) * (PAGE_BYTES + 24) + 24)
        file.write(b"\xff" * PAGE_BYTES)

    empty_log(project)

    found = set(project.lake.read("events", ["event_id"])["event_id"].to_pylist())
    lost = set(client.kept) - found
    (line,) = [row["note"] for row in project.status() if row["what"] == "log"]
    assert len(lost) <= 4 * BATCH
    assert found <= set(client.kept)
    assert ("none" in line) == (not lost)
    assert ".damaged.db" in line


def test_two_loops_on_one_log_and_lake_neither_lose_nor_double(tmp_path: Path) -> None:
    project = make_project(tmp_path, log={"type": "spool", "roll_bytes": 100_000})
    loops = [started(enrich_for_ever, project.folder) for _ in range(2)]
    try:
        with collecting(project), Load(project.settings.collect.port, clients=2) as load:
            until(lambda: project.lake.exists("batches") and project.count("batches") > 10)
    finally:
        for loop in loops:
            loop.kill()
            loop.join()
    empty_log(project)

    require_exactly_once(project, load)
