"""What a disk spoils is told, with everything that can still be read; nothing is lost in silence."""

import json
import logging
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.collect.spool.segment import PAGE_BYTES
from catchment.collect.spool.writer import LaneWriter, Limits
from tests.collect.logs.conftest import append, drain, files, only_part, open_spool

PAYLOADS = 60
BODY_BYTES = 1_500
LONG_BODY_BYTES = 30_000
FRAME = PAGE_BYTES + 24


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spool with some payloads that fit in a page and some that need several, as a killed collector leaves it."""
    folder = tmp_path_factory.mktemp("filled")
    log = open_spool(folder)
    for number in range(1, PAYLOADS + 1):
        append(log, [number], size=LONG_BODY_BYTES if number % 10 == 0 else BODY_BYTES)
    log.close()
    return folder


def wal_of(folder: Path) -> Path:
    (file,) = files(folder)
    return file.with_name(file.name + "-wal")


def told_missing(folder: Path) -> set[int]:
    reports = [json.loads(path.read_text()) for path in (folder / ".catchment/spool").glob("*.damaged.json")]
    return {offset for report in reports for first, last in report["missing"] for offset in range(first, last + 1)}


def read_all(folder: Path) -> tuple[set[int], list[str]]:
    log = open_spool(folder)
    found = {int(id_.removeprefix("payload-")) for id_ in drain(log)}
    damage = log.damage()
    log.close()
    return found, damage


def overwrite(path: Path, at: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


def test_a_torn_last_page_costs_nothing_that_was_answered(filled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(filled, tmp_path / "copy"))
    with wal_of(folder).open("ab") as wal:
        wal.write(wal_of(folder).read_bytes()[-FRAME : -FRAME // 2])

    found, damage = read_all(folder)

    assert found == set(range(1, PAYLOADS + 1))
    assert damage == []


def test_a_spoiled_page_costs_only_what_stood_in_it_and_the_file_is_kept_and_told(
    filled: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(filled, tmp_path / "copy"))
    middle = wal_of(folder).stat().st_size // FRAME // 2
    overwrite(wal_of(folder), 32 + middle * FRAME + 24, b"\xff" * PAGE_BYTES)

    with caplog.at_level(logging.ERROR):
        found, damage = read_all(folder)

    missing = set(range(1, PAYLOADS + 1)) - found
    assert len(missing) <= PAGE_BYTES // BODY_BYTES
    assert missing == told_missing(folder)
    (line,) = damage
    kept = next((folder / ".catchment/spool").glob("*.damaged.db"))
    assert str(kept) in line
    assert line in caplog.text


def test_a_spoiled_beginning_of_the_file_and_of_its_wal_costs_nothing(filled: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(filled, tmp_path / "copy"))
    (file,) = files(folder)
    overwrite(wal_of(folder), 0, b"\xff" * 32)
    overwrite(file, 0, b"\xff" * 200)

    found, damage = read_all(folder)

    assert found == set(range(1, PAYLOADS + 1))
    assert len(damage) == 1


@given(place=st.floats(0, 1, exclude_max=True), length=st.integers(1, 3 * PAGE_BYTES), byte=st.integers(0, 255))
@settings(max_examples=25)
def test_wherever_the_disk_spoils_a_file_each_payload_is_read_or_told_missing(
    filled: Path, tmp_path_factory: pytest.TempPathFactory, place: float, length: int, byte: int
) -> None:
    folder = tmp_path_factory.mktemp("spoiled")
    shutil.copytree(filled, folder, dirs_exist_ok=True)
    wal = wal_of(folder)
    size = wal.stat().st_size
    start = int(place * size)
    overwrite(wal, start, bytes([byte]) * min(length, size - start))

    # A collector starts on it first, which must neither take the spoiled end for the end nor give an offset twice.
    log = open_spool(folder)
    append(log, [999])
    log.close()
    found, _ = read_all(folder)

    assert 999 in found
    # A spoiled last commit cannot be told from one that was cut off before its answer.
    assert set(range(1, PAYLOADS)) <= found | told_missing(folder)


def test_a_file_that_is_spoiled_while_it_is_written_is_left_for_a_new_one(tmp_path: Path) -> None:
    log = open_spool(tmp_path)
    append(log, range(1, 20), size=BODY_BYTES)
    wal = wal_of(tmp_path)
    overwrite(wal, wal.stat().st_size - FRAME + 24, b"\xff" * PAGE_BYTES)

    before = {int(id_.removeprefix("payload-")) for id_ in drain(log)}
    append(log, range(20, 25), size=BODY_BYTES)
    after = {int(id_.removeprefix("payload-")) for id_ in drain(log)}

    assert before | after | told_missing(tmp_path) == set(range(1, 25))
    assert set(range(20, 25)) <= after
    log.close()


def test_a_clock_that_goes_backwards_neither_repeats_nor_reorders_an_offset(tmp_path: Path) -> None:
    times = iter([1e9, 5e8, 4e8, 3e9, 0.0, -5.0, *[7.0] * 200])
    folder = tmp_path / ".catchment/spool"
    limits = Limits(roll_bytes=10**9, roll_s=10.0, keep_free_bytes=0, busy_s=1.0)
    log = open_spool(tmp_path)
    append(log, [1])
    log.close()
    for _ in range(3):
        writer = LaneWriter(folder, limits, clock=lambda: next(times))
        for _ in range(4):
            writer.commit([b"\0" * 4 + b"x"])
            writer.rest()
        writer.close()

    part = only_part(log)
    offsets = []
    for segment in part._segments():
        offsets += [offset for offset, _ in part._connect(segment).execute("select _offset, 0 from payloads")]
    assert offsets == list(range(1, 14))
    log.close()
