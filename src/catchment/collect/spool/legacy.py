"""The spool of Catchment 0.1, one file for all: nothing is appended any more, and it goes once the lake holds it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
import pyarrow as pa

from catchment.collect.spool.writer import unusable
from catchment.tables import OFFSET, PAYLOADS

FILE_NAME = "spool.db"
READ_BYTES = 64 * 1024 * 1024
_BODY = PAYLOADS.schema.get_field_index("body")


class SingleFile:
    """The file `spool.db` as a part of the log."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log_id(self) -> str:
        """Give the name it was made with, under which the lake knows its offsets."""
        with self._opened() as connection:
            return str(connection.execute("select log_id from identity").fetchone()[0])

    def read(self, after: int, limit: int) -> pa.Table:
        """Give payloads with offset > after in order."""
        columns = ", ".join(PAYLOADS.schema.names)
        query = f"select {columns} from payloads where {OFFSET} > ? order by {OFFSET} limit ?"
        rows: list[tuple[object, ...]] = []
        size = 0
        if not self.path.exists():
            return _to_table(rows)
        with self._opened() as connection:
            for row in connection.execute(query, (after, limit)):
                rows.append(row)
                size += len(bytes(row[_BODY] or b""))
                if size > READ_BYTES:
                    break
        return _to_table(rows)

    def remove_through(self, offset: int) -> None:
        """Remove the file once nothing in it is later than that offset."""
        with self._opened() as connection:
            later = connection.execute(f"select 1 from payloads where {OFFSET} > ? limit 1", (offset,)).fetchone()
        if later is None:
            for suffix in ("-shm", "-wal", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def depth(self) -> int:
        """Count the payloads in it."""
        with self._opened() as connection:
            return int(connection.execute("select count(*) from payloads").fetchone()[0])

    def close(self) -> None:
        """Nothing is kept open."""

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(f"{self.path.as_uri()}?mode=rw", uri=True)) as connection:
                yield connection
        except sqlite3.Error as error:
            raise unusable(self.path.parent, error) from error


def _to_table(rows: list[tuple[object, ...]]) -> pa.Table:
    if not rows:
        return PAYLOADS.schema.empty_table()
    columns = dict(zip(PAYLOADS.schema.names, zip(*rows, strict=True), strict=True))
    columns["headers"] = tuple(orjson.loads(str(text)) for text in columns["headers"])
    arrays = [pa.array(columns[field.name], type=field.type) for field in PAYLOADS.schema]
    return pa.Table.from_arrays(arrays, schema=PAYLOADS.schema)
