"""The files of one version of a Delta table: read some of them by name, and put others in their place in one commit."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs.fs_handler import DeltaStorageHandler
from deltalake.transaction import AddAction, RemoveAction
from pyarrow.fs import FileSystem, LocalFileSystem, PyFileSystem, SubTreeFileSystem

from catchment.lake.layout import USUAL, Packing
from catchment.lake.undisturbed import undisturbed

FILE = "_file"
"""The number of the file that a scanned row is from."""

ROW = "_row"
"""The place of a row in its file."""

AT_ONCE = 16
"""So many files are read at once from another machine."""

FEW_ROWS = 2_000
MOST_FILES = 32
"""A part of a table is cut into at most so many files, or into files of few rows: a row that changes costs its file.

A table of which changes touch few files says itself how many rows are few: a file costs whoever looks through all.
"""

ROWS_IN_MEMORY = 500_000
"""So many rows of files are held in memory at once."""

FEW_CHUNKS = 4
"""Rows that lie in more pieces are laid together before they are written, which costs less than to write pieces."""

_PATH = "_path"
_GLOB = set("*?[")
_NO_PART = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class File:
    """One file of a table, in its store: the part it belongs to (None where the table is in one), how much it holds."""

    number: int
    path: str
    part: Any
    rows: int
    size: int


class Files:
    """The files of a table at the version it was opened at; a commit of somebody else since then makes ours fail.

    `folder` is where they are, if it is on this machine; `packing` says how files are written (see layout).
    With a `schema`, they are about to be replaced by others that have it.
    """

    def __init__(
        self, delta: DeltaTable, folder: str | None = None, packing: Packing = USUAL, schema: pa.Schema | None = None
    ) -> None:
        self._delta = delta
        self._packing = packing
        self._folder = folder
        self._store = _store_of(delta, folder)
        self.schema = pa.schema(delta.schema().to_arrow()) if schema is None else schema
        metadata = delta.metadata()
        self.part_column = next(iter(metadata.partition_columns), None)
        self._told = metadata.configuration.get("delta.dataSkippingStatsColumns", "").split(",")
        self.all = tuple(self._list())
        self.paths = {file.path for file in self.all}

    def _list(self) -> Iterator[File]:
        added = pa.table(self._delta.get_add_actions(flatten=True))
        values = [None] * added.num_rows
        if self.part_column is not None:
            values = added[f"partition.{self.part_column}"].to_pylist()
        told = (added[name].to_pylist() for name in ("path", "num_records", "size_bytes"))
        for number, (part, path, rows, size) in enumerate(zip(values, *told, strict=True)):
            yield File(number, unquote(path), part, rows or 0, size)

    def scan(self, files: Iterable[File], columns: Sequence[str]) -> pa.RecordBatchReader:
        """Give these columns of the rows of some files, and the number of the file that each is from."""
        form, schema = ds.ParquetFileFormat(), self.schema.append(pa.field(FILE, pa.int32()))
        fragments = [
            form.make_fragment(file.path, self._store, partition_expression=self._is_of(file)) for file in files
        ]
        rows = ds.FileSystemDataset(fragments, schema, form, self._store)
        return rows.scanner(columns=[*columns, FILE]).to_reader()

    def read(self, files: Sequence[File], columns: Sequence[str]) -> pa.Table:
        """Give these columns of the rows of some files, the number of the file each is from, and its place there."""
        return pa.concat_tables([self._schema_of(columns).empty_table(), *self.each(files, columns)])

    def each(self, files: Sequence[File], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Give the same of one file after another."""
        schema = self._schema_of(columns)
        if self._folder is not None:
            yield from (self._read(file, schema) for file in files)
            return
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for some in in_batches(files):
                yield from pool.map(lambda file: self._read(file, schema), some)

    def _schema_of(self, columns: Sequence[str]) -> pa.Schema:
        told = [self.schema.field(name) for name in columns]
        return pa.schema([*told, pa.field(FILE, pa.int32()), pa.field(ROW, pa.int32())])

    def _read(self, file: File, schema: pa.Schema) -> pa.Table:
        is_far = self._folder is None
        with pq.ParquetFile(self._store.open_input_file(file.path), pre_buffer=is_far) as opened:
            known = set(opened.schema_arrow.names)
            rows = opened.read([name for name in schema.names if name in known], use_threads=False)
            count = opened.metadata.num_rows
        told = {self.part_column: pa.scalar(file.part), FILE: pa.scalar(file.number)}
        places = {ROW: pa.array(np.arange(count, dtype=np.int32))}

        def column(field: pa.Field) -> pa.ChunkedArray | pa.Array:
            if field.name in known:
                return rows[field.name]
            if field.name in told:
                return pa.repeat(told[field.name].cast(field.type), count)
            return places.get(field.name, pa.nulls(count, field.type))

        return _as(pa.table([column(field) for field in schema], names=schema.names), schema)

    def _is_of(self, file: File) -> pc.Expression:
        of_file = pc.field(FILE) == pa.scalar(file.number, pa.int32())
        if self.part_column is None or file.part is None:
            return of_file
        return of_file & (pc.field(self.part_column) == pa.scalar(file.part, self.schema.field(self.part_column).type))

    def relation(self, cursor: duckdb.DuckDBPyConnection, files: Sequence[File], columns: Sequence[str]) -> str:
        """Give a relation of DuckDB over these columns of some files, and the number of the file of each row.

        Where DuckDB can open the files itself, few columns of many files cost it a quarter of what they cost Arrow.
        """
        paths = [f"{self._folder}/{file.path}" for file in files]
        if self._folder is None or self.part_column in columns or not paths or any(_GLOB & set(path) for path in paths):
            cursor.register("scanned", self.scan(files, columns))
            return "scanned"
        names = ", ".join(f'"{name}"' for name in columns)
        listed = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        if all(file.number == place for place, file in enumerate(files)):
            told = f"cast(file_index as int) as {FILE}"
            return f"(select {names}, {told} from read_parquet([{listed}], hive_partitioning = false))"
        numbers = pa.table({_PATH: paths, FILE: pa.array([file.number for file in files], pa.int32())})
        cursor.register("numbered", numbers)
        opened = f"read_parquet([{listed}], filename = '{_PATH}', hive_partitioning = false)"
        return f"(select {names}, {FILE} from {opened} inner join numbered using ({_PATH}))"

    def rows_per_file(self, part: Any, coming: int) -> int:
        """Say how many rows a file of this part may hold, once so many have come."""
        if self._packing.file_rows is not None:
            return self._packing.file_rows
        return rows_per_file(coming + sum(file.rows for file in self.all if file.part == part), self._packing.few_rows)

    def write(self, part: Any, pieces: Iterable[pa.Table]) -> Iterator[AddAction]:
        """Write a file for each piece; nobody reads it before it is committed."""
        schema = pa.schema([field for field in self.schema if field.name != self.part_column])
        folder = "" if self.part_column is None else f"{self.part_column}={_part_text(part)}/"
        if folder:
            self._store.create_dir(folder, recursive=True)
        for piece in pieces:
            table = _as(piece.select(schema.names), schema)
            if table.column(0).num_chunks > FEW_CHUNKS:
                table = table.combine_chunks()
            path = f"{folder}part-{uuid4()}.parquet"
            told = table if self._packing.is_whole else _told(table)
            with self._store.open_output_stream(path) as stream:
                pq.write_table(told, stream, **self._packing.of(told.schema))
                size = stream.tell()
            yield AddAction(
                path=path,
                size=size,
                partition_values=self._partition_values(part),
                modification_time=int(datetime.now(UTC).timestamp() * 1000),
                data_change=True,
                stats=json.dumps(self._statistics(table)),
            )

    def _statistics(self, table: pa.Table) -> dict[str, Any]:
        """Tell of the columns that the table's properties name, which are all moments (see layout)."""
        columns = [
            name for name in self._told if name in table.column_names and pa.types.is_timestamp(table[name].type)
        ]
        ranges = {name: pc.min_max(table[name]).as_py() for name in columns}
        told = {name: span for name, span in ranges.items() if span["min"] is not None}
        return {
            "numRecords": table.num_rows,
            "minValues": {name: _moment(span["min"]) for name, span in told.items()},
            "maxValues": {name: _moment(span["max"]) for name, span in told.items()},
            "nullCount": {name: table[name].null_count for name in columns},
        }

    def replace(self, gone: Iterable[File], come: Iterable[AddAction]) -> None:
        """Commit that some files are gone and others have come."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        removed = [
            RemoveAction(file.path, True, now, size=file.size, partition_values=self._partition_values(file.part))
            for file in gone
        ]
        self._commit([*removed, *come], "append")

    def replace_all(self, come: Iterable[AddAction]) -> None:
        """Commit that all files are gone and others have come, with the columns that they have."""
        self._commit(list(come), "overwrite")

    def _commit(self, actions: list[AddAction | RemoveAction], mode: str) -> None:
        columns = self._delta.metadata().partition_columns
        with undisturbed():
            self._delta.create_write_transaction(actions, mode, self.schema, columns)

    def _partition_values(self, part: Any) -> dict[str, str | None]:
        return {self.part_column: None if part is None else str(part)} if self.part_column else {}


def in_parts(rows: pa.Table, column: str | None) -> Iterator[tuple[Any, pa.Table]]:
    """Give the rows of each part, copied, so that few that are kept do not hold all others in memory."""
    if column is None:
        yield None, rows
        return
    coded = pc.dictionary_encode(rows[column].combine_chunks(), null_encoding="encode")
    codes = coded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    for number, part in enumerate(coded.dictionary.to_pylist()):
        yield part, rows.take(pa.array(order[ends[number] : ends[number + 1]]))


def _as(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give the columns the types of a schema, where they have others."""
    return table if table.schema.equals(schema) else table.cast(schema)


def _told(table: pa.Table) -> pa.Table:
    """Leave out the columns that no row tells: Delta takes what a file has not for null, and all who open it gain."""
    names = [name for name in table.column_names if table[name].null_count < table.num_rows]
    return table.select(names or table.column_names[:1])


def rows_per_file(rows: int, few_rows: int | None) -> int:
    """Say how many rows a file may hold of a part that holds so many."""
    return max(few_rows or FEW_ROWS, rows // MOST_FILES)


def in_batches(files: Sequence[File]) -> Iterator[list[File]]:
    """Part files so that each batch has about as many rows as may be in memory."""
    batch: list[File] = []
    for file in files:
        if batch and sum(other.rows for other in batch) + file.rows > ROWS_IN_MEMORY:
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _store_of(delta: DeltaTable, folder: str | None) -> FileSystem:
    """Give the store of a table's files; what is on this machine needs no detour over delta-rs."""
    if folder is not None:
        return SubTreeFileSystem(folder, LocalFileSystem())
    return PyFileSystem(DeltaStorageHandler.from_table(delta._table))


def _part_text(part: Any) -> str:
    return _NO_PART if part is None else quote(str(part), safe="")


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
