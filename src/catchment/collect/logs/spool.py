"""Payloads in a SQLite file on this machine: WAL, `synchronous=FULL`, one writer thread with group commit."""

import asyncio
import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import orjson
import pyarrow as pa

from catchment.collect.log import Log, LogStore, LogUnavailable, Payload
from catchment.tables import OFFSET, PAYLOADS

FILE_NAME = "spool.db"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READ_BYTES = 64 * 1024 * 1024
REMOVE_AT_ONCE = 10_000

# autoincrement keeps the highest offset ever given in a table of its own, so an emptied spool never starts anew.
SCHEMA = f"""
create table if not exists payloads (
    {OFFSET} integer primary key autoincrement,
    payload_id text not null,
    collector_tstamp integer not null,
    collector text not null,
    path text not null,
    querystring text,
    content_type text,
    body blob,
    hostname text,
    ip_address text,
    useragent text,
    referer_uri text,
    headers text not null,
    network_userid text
);
create table if not exists identity (
    one integer primary key check (one = 1),
    log_id text not null,
    probes integer not null
);
"""
COLUMNS = PAYLOADS.schema.names[1:]
INSERT = f"insert into payloads ({', '.join(COLUMNS)}) values ({', '.join('?' * len(COLUMNS))})"
SELECT = f"select {', '.join(PAYLOADS.schema.names)} from payloads where {OFFSET} > ? order by {OFFSET} limit ?"


class Spool(LogStore):
    """A SQLite file in a folder of this machine; every answered payload has survived an fsync."""

    folder: str = ".catchment/spool"
    timeout_s: float = 5.0
    max_waiting_bytes: int = 64 * 1024 * 1024

    def open(self, project_folder: Path) -> Log:
        path = (project_folder / self.folder).resolve() / FILE_NAME
        return _OpenSpool(path, timeout_s=self.timeout_s, max_waiting_bytes=self.max_waiting_bytes)


class _Waiting(NamedTuple):
    row: tuple[object, ...] | None
    size: int
    loop: asyncio.AbstractEventLoop
    durable: "asyncio.Future[None]"


class _OpenSpool:
    def __init__(self, path: Path, *, timeout_s: float, max_waiting_bytes: int) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self.max_waiting_bytes = max_waiting_bytes
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closing = False
        self._writer: threading.Thread | None = None
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._reading_lock = threading.Lock()

    async def append(self, payload: Payload) -> None:
        row = (
            *payload[:1],
            (payload.collector_tstamp - EPOCH) // timedelta(microseconds=1),
            *payload[2:-2],
            orjson.dumps(payload.headers).decode(),
            payload.network_userid,
        )
        size = len(payload.body or b"") + len(payload.querystring or "") + 1024
        await self._until_durable(row, size)

    async def probe(self) -> None:
        await self._until_durable(None, 0)

    async def _until_durable(self, row: tuple[object, ...] | None, size: int) -> None:
        loop = asyncio.get_running_loop()
        waiting = _Waiting(row, size, loop, loop.create_future())
        with self._changed:
            if self._waiting_bytes + size > self.max_waiting_bytes:
                raise LogUnavailable("The spool writes slower than payloads arrive.", hint="Use a faster disk.")
            self._waiting.append(waiting)
            self._waiting_bytes += size
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_groups, name="spool-writer", daemon=True)
                self._writer.start()
            self._changed.notify()
        try:
            await asyncio.wait_for(waiting.durable, self.timeout_s)
        except TimeoutError as error:
            raise LogUnavailable(
                f"The spool {self.path} did not commit within {self.timeout_s} s.",
                hint="See whether the disk is busy or another program holds the file.",
            ) from error

    def _write_groups(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                group, self._waiting = self._waiting, []
            if not group:
                break
            fault = self._commit([entry for entry in group if not entry.durable.cancelled()])
            with self._changed:
                self._waiting_bytes -= sum(entry.size for entry in group)
            self._answer(group, fault)
        if self._writing is not None:
            self._writing.close()

    def _commit(self, group: Sequence[_Waiting]) -> LogUnavailable | None:
        try:
            if self._writing is None:
                self._writing = _connect(self.path, self.timeout_s / 2)
            with _transaction(self._writing) as connection:
                connection.executemany(INSERT, [entry.row for entry in group if entry.row is not None])
                if any(entry.row is None for entry in group):
                    connection.execute("update identity set probes = probes + 1")
        except (sqlite3.Error, OSError) as error:
            # Opened afresh for the next group, so that a mended disk is found without a restart.
            if self._writing is not None:
                self._writing.close()
                self._writing = None
            return _unwritable(self.path, error)
        return None

    @staticmethod
    def _answer(group: Sequence[_Waiting], fault: LogUnavailable | None) -> None:
        def settle(entries: list[_Waiting]) -> None:
            for entry in entries:
                if entry.durable.done():
                    continue
                if fault is None:
                    entry.durable.set_result(None)
                else:
                    entry.durable.set_exception(LogUnavailable(str(fault), hint=fault.hint))

        for loop in {id(entry.loop): entry.loop for entry in group}.values():
            # A loop that has closed has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, [entry for entry in group if entry.loop is loop])

    @property
    def log_id(self) -> str:
        with self._reader() as connection:
            return str(connection.execute("select log_id from identity").fetchone()[0])

    def read(self, after: int, limit: int) -> pa.Table:
        with self._reader() as connection:
            cursor = connection.execute(SELECT, (after, limit))
            rows, size = [], 0
            for row in cursor:
                rows.append(row)
                size += len(row[7] or b"")
                if size > READ_BYTES:
                    break
            cursor.close()
        return _to_table(rows)

    def remove_through(self, offset: int) -> None:
        while True:
            # In steps, so that an append never waits for one long deletion.
            with self._reader() as connection, _transaction(connection):
                removed = connection.execute(
                    f"delete from payloads where {OFFSET} in "
                    f"(select {OFFSET} from payloads where {OFFSET} <= ? order by {OFFSET} limit ?)",
                    (offset, REMOVE_AT_ONCE),
                ).rowcount
            if removed < REMOVE_AT_ONCE:
                return

    def depth(self) -> int:
        with self._reader() as connection:
            return int(connection.execute("select count(*) from payloads").fetchone()[0])

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._writer is not None:
            self._writer.join()
        with self._reading_lock:
            if self._reading is not None:
                self._reading.close()
                self._reading = None

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        with self._reading_lock:
            try:
                if self._reading is None:
                    self._reading = _connect(self.path, self.timeout_s)
                yield self._reading
            except (sqlite3.Error, OSError) as error:
                raise _unwritable(self.path, error) from error


def _connect(path: Path, busy_s: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        if not _is_ready(connection):
            connection.executescript(SCHEMA)
            connection.execute("insert or ignore into identity values (1, ?, 0)", (str(uuid.uuid4()),))
    except BaseException:
        connection.close()
        raise
    return connection


def _is_ready(connection: sqlite3.Connection) -> bool:
    if connection.execute("select 1 from sqlite_master where name = 'identity'").fetchone() is None:
        return False
    return connection.execute("select 1 from identity").fetchone() is not None


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    connection.execute("begin immediate")
    try:
        yield connection
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _unwritable(path: Path, error: Exception) -> LogUnavailable:
    return LogUnavailable(
        f"The spool {path} cannot be used: {error}.",
        hint=f"Check permissions and free space of {path.parent}, or set collect.log.folder in catchment.yml.",
    )


def _to_table(rows: list[tuple[object, ...]]) -> pa.Table:
    if not rows:
        return PAYLOADS.schema.empty_table()
    columns = dict(zip(PAYLOADS.schema.names, zip(*rows, strict=True), strict=True))
    columns["headers"] = tuple(orjson.loads(str(text)) for text in columns["headers"])
    arrays = [pa.array(columns[field.name], type=field.type) for field in PAYLOADS.schema]
    return pa.Table.from_arrays(arrays, schema=PAYLOADS.schema)
