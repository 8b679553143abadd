"""Where in the files of a table a key stands, so that a merge opens only those and looks through no others.

A file never changes, so what is known of one holds as long as it stands. Of each key a hash of 32 bits is kept, in a
SQLite file beside the project: it says whose row is where to nobody, and is made anew from the table where it is gone.
Two keys may share a hash, so at a place that is named may stand another key than was asked for; at all others none of
them stands for certain.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zlib import crc32

import duckdb
import numpy as np
import pyarrow as pa

from catchment.lake.files import ROW, File, Files, in_batches

KEYS = "keys.sqlite"
"""Its name in the folder where a build works."""

_HASH = "cast(hash(cast(key as varchar)) & 4294967295 as uinteger)"
_ENGINE = crc32(duckdb.__version__.encode()) & 0x7FFFFFFF
"""Another version of DuckDB may have other hashes."""
_MASK = np.uint32(2**20 - 1)
_MADE = """
create table if not exists hashes (tbl text, col text, path text, hashes blob, primary key (tbl, col, path))
"""


class KeyIndex:
    """The hashes of the keys of files; without a path they are forgotten with the object.

    A file that is no database any more is removed, and its hashes are made anew.
    """

    def __init__(self, path: Path | None = None) -> None:
        try:
            self._known = _opened(path)
        except sqlite3.DatabaseError as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise
            forget_keys(path.parent)
            self._known = _opened(path)

    def find(
        self, cursor: duckdb.DuckDBPyConnection, table: str, files: Files, among: Sequence[File], column: str, keys: str
    ) -> dict[int, np.ndarray]:
        """Give, by the numbers of some files of a table, the places of rows that may hold one of the keys of a column.

        `keys` is a query for them (SQL), of one column. Files without such rows are not told.
        """
        hashes = self._hashes(cursor, table, files, among, column)
        asked = cursor.execute(f"select distinct {_HASH} from ({keys}) as asked(key)").fetchnumpy()
        wanted = next(iter(asked.values())).astype(np.uint32)
        is_wanted = np.zeros(_MASK + 1, bool)
        is_wanted[wanted & _MASK] = True
        told = [hashes[file.path] for file in among]
        every = np.concatenate([np.empty(0, np.uint32), *told])
        near = np.flatnonzero(is_wanted[every & _MASK])
        near = near[np.isin(every[near], wanted)]
        ends = np.cumsum([0, *(len(some) for some in told)])
        starts = np.searchsorted(near, ends)
        return {
            file.number: near[start:end] - ends[number]
            for number, (file, start, end) in enumerate(zip(among, starts, starts[1:], strict=False))
            if start < end
        }

    def columns(self, table: str) -> list[str]:
        """Name the columns of a table whose keys were ever sought."""
        return [row[0] for row in self._known.execute("select distinct col from hashes where tbl = ?", [table])]

    def learn(self, cursor: duckdb.DuckDBPyConnection, table: str, rows: Mapping[str, pa.Table]) -> None:
        """Note the keys of files that were just written, by their path, so that nobody must read them again for it."""
        for column in self.columns(table) if rows else ():
            self._note(table, column, dict(_hash(cursor, rows, column)))

    def _hashes(
        self, cursor: duckdb.DuckDBPyConnection, table: str, files: Files, among: Sequence[File], column: str
    ) -> dict[str, np.ndarray]:
        """Give the hashes of files by their path; what is not known yet is read, and what is gone forgotten."""
        told = self._known.execute("select path, hashes from hashes where tbl = ? and col = ?", [table, column])
        known = {path: np.frombuffer(hashes, np.uint32) for path, hashes in told}
        gone = [(table, column, path) for path in known if path not in files.paths]
        with self._known:
            self._known.executemany("delete from hashes where tbl = ? and col = ? and path = ?", gone)
        for some in in_batches([file for file in among if file.path not in known]):
            rows = dict(zip((file.path for file in some), files.each(some, [column]), strict=True))
            new = dict(_hash(cursor, rows, column))
            self._note(table, column, new)
            known |= new
        return known

    def _note(self, table: str, column: str, hashes: Mapping[str, np.ndarray]) -> None:
        rows = ((table, column, path, some.tobytes()) for path, some in hashes.items())
        with self._known:
            self._known.executemany("insert or replace into hashes values (?, ?, ?, ?)", rows)


def _opened(path: Path | None) -> sqlite3.Connection:
    known = sqlite3.connect(path or ":memory:", check_same_thread=False)
    known.execute("pragma journal_mode = wal")
    known.execute("pragma synchronous = normal")
    if known.execute("pragma user_version").fetchone()[0] != _ENGINE:
        known.execute("drop table if exists hashes")
        known.execute(f"pragma user_version = {_ENGINE}")
    known.execute(_MADE)
    return known


def _hash(
    cursor: duckdb.DuckDBPyConnection, rows: Mapping[str, pa.Table], column: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Give the hashes of the keys of each file in the order of its rows."""
    keys = pa.concat_tables(some.select([column]) for some in rows.values()).rename_columns(["key"])
    cursor.register("hashed", keys.append_column(ROW, pa.array(np.arange(keys.num_rows))))
    told = cursor.execute(f"select {ROW}, {_HASH} as hash from hashed").fetchnumpy()
    cursor.unregister("hashed")
    hashes = np.empty(keys.num_rows, np.uint32)
    hashes[told[ROW]] = told["hash"]
    ends = np.cumsum([some.num_rows for some in rows.values()])
    yield from zip(rows, np.split(hashes, ends[:-1]), strict=True)


def forget_keys(folder: Path) -> None:
    """Remove the index, for example with the last trace of a person: the next build makes it anew."""
    for path in folder.glob(f"{KEYS}*"):
        path.unlink()
