"""Bring a Delta table to what a model gives for some of its rows, rewriting only the files that hold rows which differ.

Runs inside DuckDB over tables of one connection: the model's new rows, and what is read of the standing Delta table.
First the keys of the standing files are looked through, then the files that hold rows the model speaks for are read
whole, and of those only the ones with a difference are written again. Rows that stay as they are never enter DuckDB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from catchment.lake.files import FILE, File, Files
from catchment.lake.lake import Lake
from catchment.lake.layout import USUAL, Packing

MINE, HELD, CHANGED, GONE = "standing_keys", "standing_rows", "changed_rows", "gone_keys"
ROW = "_row"
ROWS_IN_MEMORY = 500_000
"""So many rows of standing files are kept in memory until they are written again; those of more are read twice."""


@dataclass(frozen=True)
class Merge:
    """One table to bring up to date, from the relation `built`.

    `scope` says (in SQL over the table's columns) for which standing rows the model speaks: those of them that it no
    longer gives are removed. `partitions` names the values of `partition_by` among which standing rows can be.
    Before the rows are there, `built` is None. `few_rows` is how many rows a file of the table may hold at least; an
    index holds ids and hardly anything else.
    """

    table: str
    built: str | None
    unique_key: tuple[str, ...]
    scope: str | None
    partition_by: str | None
    partitions: str | None
    few_rows: int | None = None
    is_index: bool = False

    @classmethod
    def of(cls, table: str, config: dict[str, Any]) -> "Merge":
        """Read the configuration of a dbt model."""
        names = ("built", "scope", "partition_by", "partitions", "few_rows")
        is_index = bool(config.get("is_index"))
        return cls(
            table=table,
            unique_key=tuple(config["unique_key"]),
            **{name: config.get(name) for name in names},
            is_index=is_index,
        )

    @property
    def packing(self) -> Packing:
        """Say how files are written."""
        return Packing("none" if self.is_index else USUAL.compression, few_rows=self.few_rows)

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

    def among(self, keys: str) -> str:
        """SQL: keep of the rows called `held` those whose keys a query gives; null is a value."""
        same = " and ".join(f'held."{name}" is not distinct from keyed."{name}"' for name in self.unique_key)
        return f"semi join ({keys}) as keyed on {same}"


@dataclass
class _Bench:
    """What one merge works with; `read` holds the rows of files that were read whole, where they are not too many."""

    cursor: duckdb.DuckDBPyConnection
    files: Files
    merge: Merge
    read: pa.Table | None = None

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

    def places(self, rows: pa.Table, keys: str) -> pa.Array:
        """Say at which places of these rows a query gives the key."""
        told = rows.select(self.merge.unique_key).append_column(ROW, pa.array(np.arange(rows.num_rows)))
        return self.ask_of(told, f"select {ROW} from held {self.merge.among(keys)}")[ROW].combine_chunks()


class Standing:
    """The rows of a table that a model is about to make anew, read before it does: the merge need not read them again.

    They are the table HELD of the connection until the merge. Between the two no other table may be merged.
    """

    def __init__(self, cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> None:
        self._bench = _bench(cursor, lake, merge)
        self._held = _hold(self._bench)

    def serves(self, cursor: duckdb.DuckDBPyConnection, merge: Merge) -> "tuple[_Bench, list[File]] | None":
        """Give what was read, unless the model gives rows that it does not speak for."""
        bench = replace(self._bench, cursor=cursor, merge=merge)
        outside = f'select count(*) from "{merge.built}" where not {merge.is_in_scope}'
        return None if sum(bench.ask(outside)) else (bench, self._held)


def merge_changed(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge, standing: Standing | None = None) -> int:
    """Commit the rows that differ, in one commit; gives how many, and commits nothing where none does.

    Where somebody else commits meanwhile, or has since the standing rows were read, for example to forget a person, all
    is read and compared again.
    """
    before = [standing]  # trusted once: a commit upon what does not stand any more fails, and is tried again

    def attempt() -> int:
        return _merge(cursor, lake, merge, before.pop() if before else None)

    return int(lake.committing(merge.table, attempt))


def _bench(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> "_Bench":
    folder = None if "://" in lake.uri else lake.path(merge.table)
    return _Bench(cursor, Files(lake.delta(merge.table), folder, merge.packing), merge)


def _merge(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge, standing: Standing | None) -> int:
    built = [row[0] for row in cursor.execute(f'describe "{merge.built}"').fetchall()]
    known = standing.serves(cursor, merge) if standing is not None else None
    bench = known[0] if known else _bench(cursor, lake, merge)
    if set(built) != set(bench.files.schema.names):
        return _replace_all(bench, lake)
    held = known[1] if known else _hold(bench)
    _compare(bench, built)
    count: int = sum(bench.ask(f"select count(*) from {CHANGED} union all select count(*) from {GONE}"))
    if count:
        _rewrite(bench, held, count)
    for table in (MINE, HELD, CHANGED, GONE):
        cursor.execute(f"drop table {table}")
    return count


def merge_found(cursor: duckdb.DuckDBPyConnection, files: Files, merge: Merge, standing: str) -> int:
    """Commit the rows that differ from standing ones that were read already; gives how many.

    `standing` is a relation with the number of each row's file, the key, and whichever other columns tell that a row is
    another. A row of it that the model no longer gives is removed. Raises CommitFailedError where `files` are no more
    what stands.
    """
    bench = _Bench(cursor, files, merge)
    told = [row[0] for row in cursor.execute(f'describe "{standing}"').fetchall() if row[0] != FILE]
    same = " and ".join(f'built."{name}" is not distinct from held."{name}"' for name in told)
    cursor.execute(f'create or replace table {MINE} as select {FILE}, {merge.key} from "{standing}"')
    differ = f'select * from "{merge.built}" as built anti join "{standing}" as held on {same}'
    cursor.execute(f"create or replace table {CHANGED} as {differ}")
    gone = f'select {merge.key} from {MINE} except select {merge.key} from "{merge.built}"'
    cursor.execute(f"create or replace table {GONE} as {gone}")
    count: int = sum(bench.ask(f"select count(*) from {CHANGED} union all select count(*) from {GONE}"))
    if count:
        _rewrite(bench, list(files.all), count)
    for table in (MINE, CHANGED, GONE):
        cursor.execute(f"drop table {table}")
    return count


def _replace_all(bench: _Bench, lake: Lake) -> int:
    """Write the table anew, for the model has other columns than it: a column that a row does not tell is null."""
    merge = bench.merge
    rows = bench.ask_of(
        lake.delta(merge.table).to_pyarrow_dataset().scanner().to_reader(),
        f'select * from held where not coalesce({merge.mine}, false) union all by name select * from "{merge.built}"',
    )
    lake.overwrite(merge.table, rows, partition_by=merge.partition_by)
    return int(rows.num_rows)


def _hold(bench: _Bench) -> list[File]:
    """Read the files that hold rows for which the model speaks, and put those rows into a table."""
    held = _concerned(bench)
    bench.ask_of(
        bench.files.read([], bench.files.schema.names), f"create or replace table {HELD} as select * from held"
    )
    for files in _in_batches(held):
        rows = bench.files.read(files, bench.files.schema.names)
        mine = rows.take(bench.places(rows, f"select {bench.merge.key} from {MINE}"))
        bench.ask_of(mine, f"insert into {HELD} by name select * from held")
        bench.read = rows if files == held else None
    return held


def _in_batches(files: list[File]) -> Iterator[list[File]]:
    """Part files so that each batch has about as many rows as may be in memory."""
    batch: list[File] = []
    for file in files:
        if batch and sum(other.rows for other in batch) + file.rows > ROWS_IN_MEMORY:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _concerned(bench: _Bench) -> list[File]:
    """Find the files that hold rows for which the model speaks, by their keys."""
    merge, files = bench.merge, list(bench.files.all)
    if merge.partitions is not None and merge.built is not None:
        parts = set(bench.ask(f'{merge.partitions} union select {merge.partition_by} from "{merge.built}"'))
        files = [file for file in files if file.part in parts]
    words = {*re.findall(r"\w+", merge.scope or ""), *merge.unique_key}
    columns = [name for name in bench.files.schema.names if name in words]
    told = bench.files.relation(bench.cursor, files, columns)
    bench.cursor.execute(
        f"create or replace table {MINE} as select {FILE}, {merge.key}, {merge.is_in_scope} as is_in_scope "
        f"from {told} as held where {merge.mine}"
    )
    numbers = set(bench.ask(f"select distinct {FILE} from {MINE}"))
    return [file for file in files if file.number in numbers]


def _compare(bench: _Bench, columns: list[str]) -> None:
    """Tell the rows that differ, and the keys of those to remove."""
    cursor, merge = bench.cursor, bench.merge
    names = ", ".join(f'"{name}"' for name in columns)
    rows = f'select {names} from "{merge.built}" except select {names} from {HELD}'
    cursor.execute(f"create or replace table {CHANGED} as {rows}")
    stood = f"select {merge.key} from {MINE} where is_in_scope"
    cursor.execute(f'create or replace table {GONE} as {stood} except select {merge.key} from "{merge.built}"')


def _differing(merge: Merge) -> str:
    """SQL: the keys of rows that change or go."""
    return f"select {merge.key} from {CHANGED} union all select {merge.key} from {GONE}"


def _rewrite(bench: _Bench, held: list[File], count: int) -> None:
    """Write the files with a difference again, each part's anew in as few as hold its rows."""
    column = bench.files.part_column
    numbers = set(bench.ask(f"select distinct {FILE} from {MINE} as held {bench.merge.among(_differing(bench.merge))}"))
    incoming = set(bench.ask(f"select distinct {column} from {CHANGED}")) if column else {None}
    gone = [file for file in held if file.number in numbers]
    gone += [file for part in incoming for file in _room_in(bench, part, numbers)]
    parts = list({file.part for file in gone} | incoming)
    is_small = count + sum(file.rows for file in gone) <= ROWS_IN_MEMORY
    come = [
        action
        for some in ([parts] if is_small else [[part] for part in parts])
        for action in _written(bench, some, gone)
    ]
    bench.files.replace(gone, come)


def _room_in(bench: _Bench, part: Any, taken: set[int]) -> list[File]:
    """Give the smallest other file of a part, where it has room for more rows."""
    others = [file for file in bench.files.all if file.part == part and file.number not in taken]
    smallest = min(others, key=lambda file: file.rows, default=None)
    return [smallest] if smallest is not None and smallest.rows < bench.files.rows_per_file(part, 0) else []


def _written(bench: _Bench, parts: list[Any], gone: list[File]) -> Iterator[AddAction]:
    """Write what the files of some parts are replaced by: the rows that stay, and those that differ."""
    column, schema = bench.files.part_column, bench.files.schema
    kept = _kept(bench, [file for file in gone if file.part in parts])
    of_parts = f'where "{column}" in (select unnest($parts)) or ("{column}" is null and $is_null)' if column else ""
    values = {"parts": [part for part in parts if part is not None], "is_null": None in parts} if column else {}
    changed = bench.cursor.execute(f"select * from {CHANGED} {of_parts}", values).to_arrow_table()
    changed = changed.select(schema.names).cast(schema)
    for part in parts:
        stay = [kept[file.number] for file in gone if file.part == part]
        differ = changed if column is None else changed.filter(_is(changed[column], part))
        rows = pa.concat_tables([*(rows.select(schema.names) for rows in stay), differ])
        yield from bench.files.write(part, _cut(rows, most=bench.files.rows_per_file(part, rows.num_rows)))


def _is(values: pa.ChunkedArray, part: Any) -> pa.ChunkedArray:
    return pc.is_null(values) if part is None else pc.fill_null(pc.equal(values, pa.scalar(part, values.type)), False)


def _kept(bench: _Bench, files: list[File]) -> dict[int, pa.Table]:
    """Give the rows of some files that stay, by the number of their file."""
    known = set() if bench.read is None else set(pc.unique(bench.read[FILE]).to_pylist())
    others = bench.files.read([file for file in files if file.number not in known], bench.files.schema.names)
    rows = others if bench.read is None else pa.concat_tables([bench.read, others])
    stays = np.isin(rows[FILE].to_numpy(), [file.number for file in files])
    stays[bench.places(rows, _differing(bench.merge)).to_numpy()] = False
    numbers = np.where(stays, rows[FILE].to_numpy(), -1)
    ends = [*np.flatnonzero(np.diff(numbers)) + 1, len(numbers)]
    pieces: dict[int, list[pa.Table]] = {file.number: [rows.slice(0, 0)] for file in files}
    for start, end in zip([0, *ends], ends, strict=False):
        if start < end and numbers[start] >= 0:
            pieces[int(numbers[start])].append(rows.slice(start, end - start))
    return {number: pa.concat_tables(some) for number, some in pieces.items()}


def _cut(rows: pa.Table, *, most: int) -> Iterator[pa.Table]:
    """Cut rows into as few pieces as hold at most so many, all about as large."""
    pieces = ceil(rows.num_rows / most)
    size = ceil(rows.num_rows / max(1, pieces))
    return (rows.slice(start, size) for start in range(0, rows.num_rows, max(1, size)))
