"""Rows of a source are made to fit our table, or refused with file, column and row."""

from collections.abc import Mapping
from typing import NoReturn

import pyarrow as pa
import pyarrow.compute as pc

from catchment.ingest.source import Part, SourceError
from catchment.tables import Table

INGESTED_AT = "ingested_at"


def fit_part(part: Part, table: Table, names: Mapping[str, str]) -> pa.Table:
    """Cast a part to the table's declared columns; raises SourceError where a value does not fit."""
    fields = [field for field in table.schema if field.name != INGESTED_AT]
    columns = []
    for field in fields:
        name = names.get(field.name, field.name)
        if name not in part.rows.column_names:
            raise SourceError(
                f"{part.place} has no column '{name}'; it has: {', '.join(part.rows.column_names)}.",
                hint=f"Add it, or name theirs in ingest.sources.{table.name}.columns: {{{field.name}: THEIRS}}.",
            )
        column = _fit_column(part.rows[name], field.type, f"{part.place}, column '{name}'")
        if field.name in table.key and column.null_count:
            row = pc.index(pc.is_null(column), True).as_py() + 1
            raise SourceError(
                f"{part.place}, column '{name}', row {row} is empty.",
                hint=f"Fill it: {', '.join(table.key)} tell the rows of {table.name} apart.",
            )
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=pa.schema(fields))


def _fit_column(column: pa.ChunkedArray, wanted: pa.DataType, place: str) -> pa.ChunkedArray:
    try:
        return _cast(column, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        _refuse(column, wanted, place)


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if not pa.types.is_timestamp(wanted):
        return column.cast(wanted)
    try:
        return column.cast(wanted)
    except pa.ArrowInvalid:
        # A text without a zone is UTC, as everywhere here.
        return column.cast(pa.timestamp("us")).cast(wanted)


def _refuse(column: pa.ChunkedArray, wanted: pa.DataType, place: str) -> NoReturn:
    # Halving finds the first value that does not fit without a cast for each.
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        if _fits(column[low:middle], wanted):
            low = middle
        else:
            high = middle
    raise SourceError(
        f"{place}, row {low + 1} is {column[low].as_py()!r}, which is no {wanted}.",
        hint="Mend the value; numbers have no thousands separators, times look like 2026-05-01T12:00:00Z.",
    )


def _fits(column: pa.ChunkedArray, wanted: pa.DataType) -> bool:
    try:
        _cast(column, wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    return True
