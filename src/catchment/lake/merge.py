"""Bring a Delta table to what a model gives for some of its rows, rewriting only the files that hold rows which differ.

Runs inside DuckDB over tables of one connection: the model's new rows, and what is read of the standing Delta table.
First the keys of the standing files are looked through, then the files that hold rows the model speaks for are read
whole, and of those only the ones with a difference are written again. Rows that stay as they are never enter DuckDB.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake.transaction import AddAction

from catchment.lake.files import FILE, File, Files
from catchment.lake.lake import Lake

MINE, HELD, CHANGED, GONE = "standing_keys", "standing_rows", "changed_rows", "gone_keys"
ROW = "_row"
ROWS_IN_MEMORY = 500_000
"""So many rows of standing files are kept in memory until they are written again; those of more are read twice."""


@dataclass(frozen=True)
class Merge:
    """One table to bring up to date, from the relation `built`.

    `scope` says (in SQL over the table's columns) for which standing rows the model speaks: those of them that it no
    longer gives are removed. `partitions` names the values of `partition_by` among which standing rows can be.
    """

    table: str
    built: str
    unique_key: tuple[str, ...]
    scope: str | None
    partition_by: str | None
    partitions: str | None

    @classmethod
    def of(cls, table: str, config: dict[str, Any]) -> "Merge":
        """Read the configuration of a dbt model."""
        names = ("built", "scope", "partition_by", "partitions")
        return cls(table=table, unique_key=tuple(config["unique_key"]), **{name: config[name] for name in names})

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
        return f'(({self.key}) in (select ({self.key}) from "{self.built}") or {self.is_in_scope})'

    def among(self, keys: str) -> str:
        """SQL: keep of the rows called `held` those whose keys a query gives; null is a value."""
        same = " and ".join(f'held."{name}" is not distinct from keyed."{name}"' for name in self.unique_key)
        return f"semi join ({keys}) as keyed on {same}"


@dataclass
class _Bench:
    """What one merge works with; `read` holds the rows of files that were read whole, by part."""

    cursor: duckdb.DuckDBPyConnection
    files: Files
    merge: Merge
    read: dict[Any, pa.Table] = field(default_factory=dict)

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


def merge_changed(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> int:
    """Commit the rows that differ, in one commit; gives how many, and commits nothing where none does.

    Where somebody else commits meanwhile, for example to forget a person, all is compared again.
    """
    return int(lake.committing(merge.table, lambda: _merge(cursor, lake, merge)))


def _merge(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> int:
    bench = _Bench(cursor, Files(lake.delta(merge.table)), merge)
    built = [row[0] for row in cursor.execute(f'describe "{merge.built}"').fetchall()]
    if set(built) != set(bench.files.schema.names):
        return _replace_all(bench, lake)
    held = _hold(bench)
    _compare(bench, built)
    count: int = sum(bench.ask(f"select count(*) from {CHANGED} union all select count(*) from {GONE}"))
    if count:
        _rewrite(bench, held)
    for table in (MINE, HELD, CHANGED, GONE):
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
        bench.files.scan([], bench.files.schema.names), f"create or replace table {HELD} as select * from held"
    )
    for part in {file.part for file in held}:
        rows = bench.files.scan([file for file in held if file.part == part], bench.files.schema.names).read_all()
        mine = rows.take(bench.places(rows, f"select {bench.merge.key} from {MINE}"))
        bench.ask_of(mine, f"insert into {HELD} by name select * from held")
        if rows.num_rows + sum(table.num_rows for table in bench.read.values()) <= ROWS_IN_MEMORY:
            bench.read[part] = rows
    return held


def _concerned(bench: _Bench) -> list[File]:
    """Find the files that hold rows for which the model speaks, by their keys."""
    merge, files = bench.merge, list(bench.files.all)
    if merge.partitions is not None:
        parts = set(bench.ask(f'{merge.partitions} union select {merge.partition_by} from "{merge.built}"'))
        files = [file for file in files if file.part in parts]
    words = {*re.findall(r"\w+", merge.scope or ""), *merge.unique_key}
    told = bench.files.scan(files, [name for name in bench.files.schema.names if name in words])
    mine = f"select {FILE}, {merge.key}, {merge.is_in_scope} as is_in_scope from held where {merge.mine}"
    bench.ask_of(told, f"create or replace table {MINE} as {mine}")
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


def _rewrite(bench: _Bench, held: list[File]) -> None:
    """Write the files with a difference again, each part's anew in as few as hold its rows."""
    column = bench.files.part_column
    numbers = set(bench.ask(f"select distinct {FILE} from {MINE} as held {bench.merge.among(_differing(bench.merge))}"))
    incoming = set(bench.ask(f"select distinct {column} from {CHANGED}")) if column else {None}
    gone = [file for file in held if file.number in numbers]
    gone += [file for part in incoming for file in _room_in(bench, part, numbers)]
    come = [action for part in {file.part for file in gone} | incoming for action in _written(bench, part, gone)]
    bench.files.replace(gone, come)


def _room_in(bench: _Bench, part: Any, taken: set[int]) -> list[File]:
    """Give the smallest other file of a part, where it has room for more rows."""
    others = [file for file in bench.files.all if file.part == part and file.number not in taken]
    smallest = min(others, key=lambda file: file.rows, default=None)
    return [smallest] if smallest is not None and smallest.rows < bench.files.rows_per_file(part, 0) else []


def _written(bench: _Bench, part: Any, gone: list[File]) -> Iterator[AddAction]:
    """Write what a part's files are replaced by: the rows that stay, and those that differ."""
    column, names = bench.files.part_column, bench.files.schema.names
    kept = _rows_of(bench, [file for file in gone if file.part == part])
    stays = np.ones(kept.num_rows, dtype=bool)
    stays[bench.places(kept, _differing(bench.merge)).to_numpy()] = False
    of_part = f'where "{column}" is not distinct from $part' if column else ""
    values = {"part": part} if column else {}
    changed = bench.cursor.execute(f"select * from {CHANGED} {of_part}", values).to_arrow_table()
    changed = changed.select(names).cast(bench.files.schema)
    rows = pa.concat_tables([kept.filter(pa.array(stays)).select(names), changed])
    yield from bench.files.write(part, _cut(rows, most=bench.files.rows_per_file(part, rows.num_rows)))


def _rows_of(bench: _Bench, files: list[File]) -> pa.Table:
    """Give the rows of some files of one part, which may have been read before."""
    known = bench.read.pop(files[0].part, None) if files else None
    at_hand = set() if known is None else set(pc.unique(known[FILE]).to_pylist())
    others = bench.files.scan([file for file in files if file.number not in at_hand], bench.files.schema.names)
    if known is None:
        return others.read_all()
    numbers = pa.array([file.number for file in files], pa.int32())
    return pa.concat_tables([known.filter(pc.is_in(known[FILE], numbers)), others.read_all()])


def _cut(rows: pa.Table, *, most: int) -> Iterator[pa.Table]:
    """Cut rows into as few pieces as hold at most so many, all about as large."""
    pieces = ceil(rows.num_rows / most)
    size = ceil(rows.num_rows / max(1, pieces))
    return (rows.slice(start, size) for start in range(0, rows.num_rows, max(1, size)))
