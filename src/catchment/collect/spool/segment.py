"""One SQLite file of the spool: payloads by offset, appended in groups, each group one durable transaction."""

import contextlib
import functools
import os
import re
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson

PAGE_BYTES = 8192
NAME = re.compile(r"(?P<log_id>[0-9a-f]{32})-(?P<first>\d{20})(?P<salvaged>\.salvaged)?\.db")

WAL_MODE = slice(18, 20)
"""Where the header says that the file is in WAL mode, by the published file format."""

SCHEMA = """
create table payloads (_offset integer primary key, record blob not null);
create table probe (one integer primary key, probes integer not null);
insert into probe values (1, 0);
"""
# One statement for a whole group: it is one transaction, and the interpreter lock is let go of once, not once a row.
# An entry of the list says where a record starts in the bytes of all (upper 32 bits) and how long it is (lower 32).
APPEND = """
insert into payloads
select ?3 + key, substr(?1, (value >> 32) + 1, value & 4294967295)
from json_each(?2)
"""
READ = "select _offset, record from payloads where _offset > ? order by _offset limit ?"


class Segment(NamedTuple):
    """One file by its name, which says whose it is and where its offsets begin even when the file is spoiled."""

    log_id: str
    first: int
    folder: Path
    is_salvaged: bool = False

    @property
    def path(self) -> Path:
        """Give the file."""
        return self.folder / f"{self.log_id}-{self.first:020d}{'.salvaged' if self.is_salvaged else ''}.db"

    @property
    def wal(self) -> Path:
        """Give the file beside it that holds what was appended last; mostly, all of it."""
        return self.path.with_name(self.path.name + "-wal")

    @property
    def shm(self) -> Path:
        """Give the index of the `wal`, which SQLite can always make anew."""
        return self.path.with_name(self.path.name + "-shm")

    def size_bytes(self) -> int:
        """Give the bytes on disk."""
        return sum(path.stat().st_size for path in (self.path, self.wal) if path.exists())

    def remove(self) -> None:
        """Give the disk back: the index first and the file last, so that no half of it is taken for a whole."""
        for path in (self.shm, self.wal, self.path):
            path.unlink(missing_ok=True)


def list_segments(folder: Path) -> dict[str, list[Segment]]:
    """Give the segments of every lane, in order; what was salvaged stands for the spoiled file of the same offset."""
    found: dict[str, dict[int, Segment]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = NAME.fullmatch(path.name)
        if match is None:
            continue
        segment = Segment(match["log_id"], int(match["first"]), folder, match["salvaged"] is not None)
        lane = found.setdefault(segment.log_id, {})
        if segment.is_salvaged or segment.first not in lane:
            lane[segment.first] = segment
    return {log_id: [lane[first] for first in sorted(lane)] for log_id, lane in found.items()}


def create_segment(segment: Segment, busy_s: float) -> sqlite3.Connection:
    """Make the file and give the connection that appends; under its name it stands whole or not at all."""
    segment.remove()
    fresh = segment.path.with_suffix(".new")
    try:
        with fresh.open("wb") as file:
            file.write(_empty_file())
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(segment.path)
        sync_folder(segment.folder)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise
    connection = sqlite3.connect(segment.path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("pragma synchronous = full")
        # Never copied from the wal into the main file: it is soon read and removed, and half the writing is saved.
        connection.execute("pragma wal_autocheckpoint = 0")
        connection.execute("select probes from probe").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@functools.cache
def _empty_file() -> bytes:
    """Give the bytes of a file without payloads, in WAL mode.

    Made in memory: a collector that is killed while SQLite itself sets up a file leaves one that no reader can open.
    """
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"pragma page_size = {PAGE_BYTES}")
        connection.executescript(f"begin;{SCHEMA}commit;")
        content = bytearray(connection.serialize())
    content[WAL_MODE] = b"\2\2"
    return bytes(content)


def append_records(connection: sqlite3.Connection, first: int, records: Sequence[bytes]) -> None:
    """Append a group durably, its offsets counting from `first`."""
    places, start = [], 0
    for record in records:
        places.append(start << 32 | len(record))
        start += len(record)
    connection.execute(APPEND, (b"".join(records), orjson.dumps(places).decode(), first))


def prove_writable(connection: sqlite3.Connection) -> None:
    """Write something durably that is no payload."""
    connection.execute("update probe set probes = probes + 1")


def finish_segment(connection: sqlite3.Connection, segment: Segment) -> None:
    """Close without copying the wal: a second connection that may only read stays until the first has gone."""
    try:
        with reading(segment) as last:
            last.execute("select 1 from probe").fetchone()
            connection.close()
    except (sqlite3.Error, OSError):
        connection.close()


@contextlib.contextmanager
def reading(segment: Segment) -> Iterator[sqlite3.Connection]:
    """Open the file to read, while another process may append."""
    connection = open_to_read(segment)
    try:
        yield connection
    finally:
        connection.close()


def open_to_read(segment: Segment) -> sqlite3.Connection:
    """Open the file; a connection that may only read never copies the wal when it closes."""
    address = f"{segment.path.as_uri()}?mode=ro"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=5, check_same_thread=False)


def highest_offset(segment: Segment) -> int:
    """Give the last offset that SQLite finds in it; one less than its first where there is none."""
    with reading(segment) as connection:
        found = connection.execute("select max(_offset) from payloads").fetchone()[0]
    return segment.first - 1 if found is None else int(found)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
