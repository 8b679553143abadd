import asyncio
import multiprocessing
import sqlite3
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.collect.log import LogUnavailable, Payload
from catchment.collect.record import decode_records, encode_record, is_intact
from catchment.tables import PAYLOADS
from tests.collect.logs.conftest import NOW, append, drain, files, only_part, open_spool, payload


def test_a_payload_comes_out_as_it_went_in(log):
    sent = payload(1, body=b"\x00\xff body\n\n")

    asyncio.run(log.append(sent))

    table = only_part(log).read(0, 10)
    assert table.schema == PAYLOADS.schema
    assert table.to_pylist() == [{"_offset": 1, **sent._asdict()}]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | texts
payloads = st.builds(
    Payload, payload_id=texts, collector_tstamp=st.just(NOW), collector=texts, path=texts, querystring=maybe,
    content_type=maybe, body=st.none() | st.binary(max_size=40), hostname=maybe, ip_address=maybe, useragent=maybe,
    referer_uri=maybe, headers=st.lists(texts, max_size=3), network_userid=maybe,
)  # fmt: skip


@given(payloads, st.integers(0, 400), st.integers(1, 255))
@settings(max_examples=200)
def test_a_record_is_what_was_written_or_is_known_not_to_be(sent, place, change):
    record = encode_record(sent)
    spoiled = bytearray(record)
    spoiled[place % len(record)] ^= change

    assert decode_records([(7, record)]).to_pylist() == [{"_offset": 7, **sent._asdict()}]
    assert not is_intact(bytes(spoiled))


def test_text_that_is_no_unicode_costs_a_character_and_not_the_payload(log):
    asyncio.run(log.append(payload(1)._replace(useragent="a\ud800b", headers=["x: \udfff"])))

    (row,) = only_part(log).read(0, 10).to_pylist()
    assert (row["useragent"], row["headers"]) == ("a?b", ["x: ?"])


def test_reading_goes_on_after_an_offset_in_order(log):
    append(log, range(7))

    offsets = [only_part(log).read(after, 3)["_offset"].to_pylist() for after in (0, 3, 6, 7)]

    assert offsets == [[1, 2, 3], [4, 5, 6], [7], []]


def test_large_bodies_shorten_a_read_but_never_to_nothing(log, monkeypatch):
    monkeypatch.setattr("catchment.collect.spool.reader.READ_BYTES", 100)
    append(log, range(3), size=200)

    assert only_part(log).read(0, 10).num_rows == 1
    assert only_part(log).read(1, 10)["_offset"].to_pylist() == [2]


def test_a_removed_offset_is_never_given_again(tmp_path):
    log = open_spool(tmp_path)
    append(log, range(5))
    only_part(log).remove_through(5)
    assert log.depth() == 0
    assert only_part(log).read(-1, 10).num_rows == 0
    log.close()

    log = open_spool(tmp_path)
    append(log, [6])
    assert only_part(log).read(-1, 10)["_offset"].to_pylist() == [6]
    log.close()


def test_removal_leaves_exactly_the_later_payloads(log):
    append(log, range(8))

    only_part(log).remove_through(5)

    assert only_part(log).read(0, 10)["_offset"].to_pylist() == [6, 7, 8]
    assert log.depth() == 3


def test_a_lane_keeps_its_name_and_another_spool_has_another(tmp_path):
    names = []
    for folder in ("one", "one", "two"):
        log = open_spool(tmp_path / folder)
        append(log, [1])
        names.append(only_part(log).log_id)
        log.close()

    assert names[0] == names[1] != names[2]


def test_a_reader_kept_open_sees_what_the_next_writer_of_the_lane_appends(tmp_path):
    first = open_spool(tmp_path)
    append(first, [1, 2])
    reader = open_spool(tmp_path)
    part = only_part(reader)
    before = part.read(0, 10)
    part.remove_through(before["_offset"][-1].as_py())
    first.close()

    second = open_spool(tmp_path)
    append(second, [3])
    seen = part.read(before["_offset"][-1].as_py(), 10)
    second.close()
    reader.close()

    assert before["payload_id"].to_pylist() == ["payload-1", "payload-2"]
    assert seen["payload_id"].to_pylist() == ["payload-3"]


def test_files_are_rolled_by_size_and_removed_once_done_with(tmp_path):
    log = open_spool(tmp_path, roll_bytes=100_000)
    for round_ in range(12):
        append(log, range(round_ * 10, round_ * 10 + 10), size=2_000)

    many = len(files(tmp_path))
    ids = drain(log)

    assert many > 2
    assert ids == [f"payload-{number}" for number in range(120)]
    assert len(files(tmp_path)) == 1
    log.close()


def test_a_file_is_rolled_by_time_so_that_what_is_committed_leaves_the_disk_though_nothing_arrives(tmp_path):
    log = open_spool(tmp_path, roll_s=0.0)
    append(log, [1])
    part = only_part(log)
    part.remove_through(1)
    (before,) = files(tmp_path)

    for _ in range(100):
        part.remove_through(1)
        if not before.exists():
            break
        asyncio.run(asyncio.sleep(0.05))

    assert not before.exists()
    assert not [path for path in (tmp_path / ".catchment/spool").iterdir() if b"payload-1" in path.read_bytes()]
    log.close()


def test_a_spool_that_nobody_appends_to_is_emptied_to_the_last_byte(tmp_path):
    log = open_spool(tmp_path)
    append(log, range(10), size=5_000)
    log.close()

    assert len(drain(log)) == 10

    assert not [path for path in (tmp_path / ".catchment/spool").iterdir() if b"payload-1" in path.read_bytes()]
    append_after = open_spool(tmp_path)
    append(append_after, [11])
    assert only_part(append_after).read(0, 10)["_offset"].to_pylist() == [11]
    append_after.close()
    log.close()


def append_in_another_process(folder: Path, numbers: range) -> None:
    log = open_spool(folder)
    for number in numbers:
        append(log, [number])
    log.close()


def test_several_processes_append_at_once_each_to_a_lane_of_its_own(tmp_path):
    context = multiprocessing.get_context("spawn")
    ranges = [range(40), range(100, 140), range(200, 240)]
    writers = [context.Process(target=append_in_another_process, args=(tmp_path, numbers)) for numbers in ranges]

    for writer in writers:
        writer.start()
    log = open_spool(tmp_path)
    seen: list[str] = []
    while any(writer.is_alive() for writer in writers):
        seen += drain(log)
    seen += drain(log)
    for writer in writers:
        writer.join()

    assert sorted(seen) == sorted(f"payload-{number}" for numbers in ranges for number in numbers)
    for numbers in ranges:
        mine = [f"payload-{number}" for number in numbers]
        assert [id_ for id_ in seen if id_ in mine] == mine
    assert 1 <= len(log.parts()) <= 3
    log.close()


def test_what_waits_in_memory_is_bounded(tmp_path):
    log = open_spool(tmp_path, max_waiting_bytes=10_000)

    with pytest.raises(LogUnavailable, match="slower"):
        asyncio.run(log.append(payload(1, body=b"x" * 20_000)))

    append(log, [2])
    assert only_part(log).read(0, 10)["payload_id"].to_pylist() == ["payload-2"]
    log.close()


def test_closing_twice_and_unused_is_allowed(tmp_path):
    log = open_spool(tmp_path)
    log.close()
    log.close()
    assert not (tmp_path / ".catchment").exists()


def make_single_file(folder: Path, numbers: range) -> str:
    """Make the file of version 0.1, with three payloads already removed."""
    folder.mkdir(parents=True)
    columns = PAYLOADS.schema.names[1:]
    connection = sqlite3.connect(folder / "spool.db")
    connection.execute("pragma journal_mode = wal")
    connection.execute(f"create table payloads (_offset integer primary key autoincrement, {', '.join(columns)})")
    connection.execute("create table identity (one integer primary key, log_id text, probes integer)")
    connection.execute("insert into identity values (1, 'the old name', 0)")
    for number in numbers:
        row = payload(number)._asdict() | {"headers": orjson.dumps(["a: b"]).decode(), "collector_tstamp": 1_000_000}
        connection.execute(f"insert into payloads values (null, {', '.join('?' * len(columns))})", list(row.values()))
    connection.execute("delete from payloads where _offset <= 3")
    connection.commit()
    connection.close()
    return "the old name"


def test_the_single_file_of_version_0_1_is_read_to_its_end_and_then_removed(tmp_path):
    folder = tmp_path / ".catchment/spool"
    name = make_single_file(folder, range(10))
    log = open_spool(tmp_path)
    append(log, [77])

    old, new = log.parts()
    assert old.log_id == name
    assert old.read(0, 2)["_offset"].to_pylist() == [4, 5]
    assert log.depth() == 8
    assert sorted(drain(log)) == sorted(f"payload-{number}" for number in [*range(3, 10), 77])
    assert not (folder / "spool.db").exists()
    assert [part.log_id for part in log.parts()] == [new.log_id]
    log.close()
