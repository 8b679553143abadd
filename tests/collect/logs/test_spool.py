import asyncio
import multiprocessing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catchment.collect import CollectSettings
from catchment.collect.log import LogUnavailable, Payload, open_log
from catchment.tables import PAYLOADS

NOW = datetime(2026, 5, 1, 12, 30, 1, 234567, tzinfo=UTC)


def payload(number: int, body: bytes | None = None) -> Payload:
    return Payload(
        payload_id=f"payload-{number}",
        collector_tstamp=NOW,
        collector="catchment-test",
        path="/i",
        querystring="e=pv",
        content_type=None,
        body=body,
        hostname="localhost",
        ip_address="127.0.0.1",
        useragent="Zürich \U0001f600",
        referer_uri=None,
        headers=["host: localhost", "x: ,\"'"],
        network_userid=None,
    )


def open_in(project: Path, **fields):
    return open_log(CollectSettings(log={"type": "spool", **fields}), project)


async def append_all(log, numbers) -> None:
    await asyncio.gather(*(log.append(payload(number)) for number in numbers))


def read_in_another_process(folder: Path, answers) -> None:
    log = open_in(folder)
    answers.put((log.log_id, log.depth(), log.read(0, 10)["payload_id"].to_pylist()))
    log.close()


@pytest.fixture
def log(tmp_path):
    log = open_in(tmp_path)
    yield log
    log.close()


def test_a_payload_comes_out_as_it_went_in(log):
    sent = payload(1, body=b"\x00\xff body")

    asyncio.run(log.append(sent))

    table = log.read(0, 10)
    assert table.schema == PAYLOADS.schema
    assert table.to_pylist() == [{"_offset": 1, **sent._asdict()}]


def test_reading_goes_on_after_an_offset_in_order(log):
    asyncio.run(append_all(log, range(7)))

    offsets = [log.read(after, 3)["_offset"].to_pylist() for after in (0, 3, 6, 7)]

    assert offsets == [[1, 2, 3], [4, 5, 6], [7], []]


def test_large_bodies_shorten_a_read_but_never_to_nothing(log, monkeypatch):
    monkeypatch.setattr("catchment.collect.logs.spool.READ_BYTES", 100)
    for number in range(3):
        asyncio.run(log.append(payload(number, body=b"x" * 200)))

    assert log.read(0, 10).num_rows == 1
    assert log.read(1, 10)["_offset"].to_pylist() == [2]


def test_a_removed_offset_is_never_given_again(tmp_path):
    log = open_in(tmp_path)
    asyncio.run(append_all(log, range(5)))
    log.remove_through(5)
    assert log.depth() == 0
    log.close()

    log = open_in(tmp_path)
    asyncio.run(log.append(payload(6)))
    assert log.read(-1, 10)["_offset"].to_pylist() == [6]
    log.close()


def test_removal_in_steps_leaves_exactly_the_later_payloads(log, monkeypatch):
    monkeypatch.setattr("catchment.collect.logs.spool.REMOVE_AT_ONCE", 2)
    asyncio.run(append_all(log, range(8)))

    log.remove_through(5)

    assert log.read(0, 10)["_offset"].to_pylist() == [6, 7, 8]


def test_a_log_keeps_its_name_and_another_log_has_another(tmp_path):
    names = []
    for folder in ("one", "one", "two"):
        log = open_in(tmp_path / folder)
        names.append(log.log_id)
        log.close()

    assert names[0] == names[1] != names[2]


def test_another_process_reads_while_this_one_appends(log, tmp_path):
    asyncio.run(append_all(log, range(3)))
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    reader = context.Process(target=read_in_another_process, args=(tmp_path, answers))

    reader.start()
    asyncio.run(append_all(log, range(3, 30)))
    log_id, depth, payload_ids = answers.get(timeout=60)
    reader.join()

    assert log_id == log.log_id
    assert depth >= 3
    assert set(payload_ids) >= {"payload-0", "payload-1", "payload-2"}


def test_what_waits_in_memory_is_bounded(tmp_path):
    log = open_in(tmp_path, max_waiting_bytes=10_000)

    with pytest.raises(LogUnavailable, match="slower"):
        asyncio.run(log.append(payload(1, body=b"x" * 20_000)))

    asyncio.run(log.append(payload(2)))
    assert log.read(0, 10)["payload_id"].to_pylist() == ["payload-2"]
    log.close()


def test_closing_twice_and_unused_is_allowed(tmp_path):
    log = open_in(tmp_path)
    log.close()
    log.close()
    assert not (tmp_path / ".catchment").exists()


def test_reading_a_spool_that_cannot_be_made_names_the_setting(tmp_path):
    (tmp_path / "taken").write_text("a file")
    log = open_in(tmp_path, folder="taken")

    with pytest.raises(LogUnavailable) as raised:
        log.depth()

    assert "taken" in str(raised.value)
    assert "collect.log.folder" in raised.value.hint
