"""Bring a Delta table to what a model gives for some of its rows, rewriting only the files that hold rows which differ.

Runs inside DuckDB over tables of one connection: the model's new rows, and what is read of the standing Delta table.
An index says which of the standing files may hold rows the model speaks for. Those are read whole, and only the ones
with a difference are written again. Rows that stay as they are never enter DuckDB.
"""

import re
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from catchment.lake.files import FILE, ROW, Files, in_batches, in_parts
from catchment.lake.key_index import KeyIndex
from catchment.lake.lake import Lake
from catchment.lake.layout import Packing
from catchment.lake.rewrite import only, rewrite

HELD, CHANGED, GONE = "standing_rows", "changed_rows", "gone_keys"
_LOOKED_UP = re.compile(r"(\w+) in \((select\b.+)\)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Merge:
    """One table to bring up to date, from the relation `built`.

    `scope` says (in SQL over the table's columns) for which standing rows the model speaks: those of them that it no
    longer gives are removed. `partitions` names the values of `partition_by` among which standing rows can be.
    Before the rows are there, `built` is None. `few_rows` is how many rows a file of the table may hold at least.
    """

    table: str
    built: str | None
    unique_key: tuple[str, ...]
    scope: str | None
    partition_by: str | None
    partitions: str | None
    few_rows: int | None = None

    @classmethod
    def of(cls, table: str, config: dict[str, Any]) -> "Merge":
        """Read the configuration of a dbt model."""
        names = ("built", "scope", "partition_by", "partitions", "few_rows")
        return cls(table, unique_key=tuple(config["unique_key"]), **{name: config.get(name) for name in names})

    @property
    def packing(self) -> Packing:
        """Say how files are written."""
        return Packing(few_rows=self.few_rows)

    @property
    def key(self) -> str:
        """SQL: the columns of the key."""
        return ", ".join(f'"{name}"' for name in self.unique_key)

    @property
    def is_in_scope(self) -> str:
        """SQL: whether a standing row is removed where the model does not give it."""
        return f"coalesce({self.scope or 'false'}, false)"

    @property
    def mine(self) -> str:
        """SQL: which standing rows the model speaks for."""
        if self.built is None:
            return self.is_in_scope
        return f'(({self.key}) in (select ({self.key}) from "{self.built}") or {self.is_in_scope})'

    @property
    def looked_up(self) -> dict[str, str] | None:
        """Name the columns by which those rows are found, each with a query (SQL) for the values that are sought.

        None where `scope` is another condition than `column in (select ...)`: that must be asked of all rows.
        """
        sought = {}
        if self.scope is not None:
            found = _LOOKED_UP.fullmatch(self.scope.strip())
            if found is None or not _is_one(found[2]):
                return None
            sought[found[1]] = found[2]
        if self.built is not None:
            column = next((name for name in sought if name in self.unique_key), self.unique_key[0])
            made = f'select "{column}" from "{self.built}"'
            sought[column] = f"{sought[column]} union all {made}" if column in sought else made
        return sought

    def among(self, keys: str) -> str:
        """SQL: keep of the rows called `held` those whose keys a query gives; null is a value."""
        same = " and ".join(f'held."{name}" is not distinct from keyed."{name}"' for name in self.unique_key)
        return f"semi join ({keys}) as keyed on {same}"


@dataclass(frozen=True)
class _Bench:
    """What one merge works with; `held` are the rows of files that were read whole, of as many as memory holds."""

    cursor: duckdb.DuckDBPyConnection
    files: Files
    merge: Merge
    index: KeyIndex
    held: dict[int, pa.Table] = field(default_factory=dict)

    @property
    def differing(self) -> str:
        """SQL: the keys of rows that change or go."""
        return f"select {self.merge.key} from {CHANGED} union all select {self.merge.key} from {GONE}"

    def ask(self, sql: str) -> list[Any]:
        """Give the first column of a query's rows."""
        return [row[0] for row in self.cursor.execute(sql).fetchall()]

    def ask_of(self, rows: pa.Table | pa.RecordBatchReader, sql: str) -> pa.Table:
        """Give the answer to a statement that calls these rows `held`."""
        self.cursor.register("held", rows)
        try:
            return self.cursor.execute(sql).to_arrow_table()
        finally:
            self.cursor.unregister("held")

    def change(self, leaving: pa.Table) -> int:
        """Commit what differs, and give how many rows; `leaving` says at which places of files they stood."""
        count: int = sum(self.ask(f"select count(*) from {CHANGED} union all select count(*) from {GONE}"))
        if count:
            told = self.index.columns(self.merge.table)
            rows = rewrite(self.cursor, self.files, CHANGED, _by_file(leaving), self.held, told)
            self.index.learn(self.cursor, self.merge.table, rows)
        return count


class Standing:
    """The rows of a table that a model is about to make anew, read before it does: the merge need not read them again.

    They are the table HELD of the connection until the merge. Between the two no other table may be merged.
    """

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge, index: KeyIndex | None = None
    ) -> None:
        self._bench = _bench(cursor, lake, merge, index)
        _hold(self._bench)

    def serves(self, cursor: duckdb.DuckDBPyConnection, merge: Merge) -> "_Bench | None":
        """Give what was read, unless the model gives rows that it does not speak for."""
        bench = replace(self._bench, cursor=cursor, merge=merge)
        outside = f'select count(*) from "{merge.built}" where not {merge.is_in_scope}'
        return None if sum(bench.ask(outside)) else bench


def merge_changed(
    cursor: duckdb.DuckDBPyConnection,
    lake: Lake,
    merge: Merge,
    standing: Standing | None = None,
    *,
    index: KeyIndex | None = None,
) -> int:
    """Commit the rows that differ, in one commit; gives how many, and commits nothing where none does.

    Where somebody else commits meanwhile, or has since the standing rows were read, for example to forget a person, all
    is read and compared again. Without an index, one is made for this merge alone.
    """
    before = [standing]  # trusted once: a commit upon what does not stand any more fails, and is tried again

    def attempt() -> int:
        known = before.pop() if before else None
        bench = known.serves(cursor, merge) if known is not None else None
        return _merge(bench or _bench(cursor, lake, merge, index), lake, is_held=bench is not None)

    return int(lake.committing(merge.table, attempt))


def _bench(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge, index: KeyIndex | None) -> "_Bench":
    files = Files(lake.delta(merge.table), lake.folder(merge.table), merge.packing)
    return _Bench(cursor, files, merge, index or KeyIndex())


def _merge(bench: _Bench, lake: Lake, *, is_held: bool) -> int:
    merge = bench.merge
    built = [row[0] for row in bench.cursor.execute(f'describe "{merge.built}"').fetchall()]
    if set(built) != set(bench.files.schema.names):
        return _replace_all(bench, lake)
    if not is_held:
        _hold(bench)
    names = ", ".join(f'"{name}"' for name in built)
    differ = f'select {names} from "{merge.built}" except select {names} from {HELD}'
    bench.cursor.execute(f"create or replace table {CHANGED} as {differ}")
    stood = f"select {merge.key} from {HELD} where {merge.is_in_scope}"
    bench.cursor.execute(f'create or replace table {GONE} as {stood} except select {merge.key} from "{merge.built}"')
    leaving = f"select {FILE}, {ROW} from {HELD} as held {merge.among(bench.differing)}"
    count = bench.change(bench.cursor.execute(leaving).to_arrow_table())
    _forget(bench.cursor, HELD, CHANGED, GONE)
    return count


def merge_found(cursor: duckdb.DuckDBPyConnection, files: Files, merge: Merge, standing: str) -> int:
    """Commit the rows that differ from standing ones that were read already; gives how many.

    `standing` is a relation with the number of each row's file, the key, and whichever other columns tell that a row is
    another. A row of it that the model no longer gives is removed. Raises CommitFailedError where `files` are no more
    what stands.
    """
    bench = _Bench(cursor, files, merge, KeyIndex())
    told = [row[0] for row in cursor.execute(f'describe "{standing}"').fetchall() if row[0] != FILE]
    same = " and ".join(f'built."{name}" is not distinct from held."{name}"' for name in told)
    differ = f'select * from "{merge.built}" as built anti join "{standing}" as held on {same}'
    cursor.execute(f"create or replace table {CHANGED} as {differ}")
    gone = f'select {merge.key} from "{standing}" except select {merge.key} from "{merge.built}"'
    cursor.execute(f"create or replace table {GONE} as {gone}")
    numbers = set(bench.ask(f'select distinct {FILE} from "{standing}" as held {merge.among(bench.differing)}'))
    rows = files.read([file for file in files.all if file.number in numbers], merge.unique_key)
    count = bench.change(bench.ask_of(rows, f"select {FILE}, {ROW} from held {merge.among(bench.differing)}"))
    _forget(cursor, CHANGED, GONE)
    return count


def _forget(cursor: duckdb.DuckDBPyConnection, *tables: str) -> None:
    for table in tables:
        cursor.execute(f"drop table {table}")


def _replace_all(bench: _Bench, lake: Lake) -> int:
    """Write the table anew, for the model has other columns than it: a column that a row does not tell is null."""
    merge = bench.merge
    rows = bench.ask_of(
        lake.delta(merge.table).to_pyarrow_dataset().scanner().to_reader(),
        f'select * from held where not coalesce({merge.mine}, false) union all by name select * from "{merge.built}"',
    )
    lake.overwrite(merge.table, rows, partition_by=merge.partition_by)
    return int(rows.num_rows)


def _hold(bench: _Bench) -> None:
    """Put the standing rows for which the model speaks into a table, with their places."""
    files = bench.files
    bench.ask_of(files.read([], files.schema.names), f"create or replace table {HELD} as select * from held")
    places = _places(bench)
    batches = list(in_batches([file for file in files.all if file.number in places]))
    for some in batches:
        told = dict(zip((file.number for file in some), files.each(some, files.schema.names), strict=True))
        rows = pa.concat_tables(only(held, places[number]) for number, held in told.items()).combine_chunks()
        bench.ask_of(rows, f"insert into {HELD} select * from held where {bench.merge.mine}")
        bench.held.update(told if len(batches) == 1 else {})


def _places(bench: _Bench) -> dict[int, np.ndarray]:
    """Tell where rows may stand for which the model speaks: places by the number of their file."""
    merge, files = bench.merge, bench.files
    among = list(files.all)
    if merge.partitions is not None and merge.built is not None:
        parts = set(bench.ask(f'{merge.partitions} union select {merge.partition_by} from "{merge.built}"'))
        among = [file for file in among if file.part in parts]
    if merge.looked_up is not None:
        places: dict[int, np.ndarray] = {}
        for column, keys in merge.looked_up.items():
            found = bench.index.find(bench.cursor, merge.table, files, among, column, keys)
            places |= {file: np.union1d(rows, places.get(file, [])).astype(int) for file, rows in found.items()}
        return places
    words = {*re.findall(r"\w+", merge.scope or ""), *merge.unique_key}
    asked = [name for name in files.schema.names if name in words]
    mine = f"select {FILE}, {ROW} from held where {merge.mine}"
    told = (bench.ask_of(files.read(some, asked), mine) for some in in_batches(among))
    return _by_file(pa.concat_tables([files.read([], []), *told]))


def _by_file(places: pa.Table) -> dict[int, np.ndarray]:
    """Part places by the number of their file."""
    return {file: rows[ROW].to_numpy() for file, rows in in_parts(places, FILE)}


def _is_one(query: str) -> bool:
    """Say whether what stands in the brackets of a condition is one query, and not the start and end of two."""
    depths = list(accumulate({"(": 1, ")": -1}.get(letter, 0) for letter in query))
    return min(depths) >= 0
