"""Write a Delta table of a model anew, in one commit, cut in files as merges cut them.

Rows come in no order of their parts; those of each are held until there are enough for a file.
"""

from collections import defaultdict
from collections.abc import Iterator
from math import ceil
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import Schema

from catchment.lake.files import Files, in_parts, rows_per_file
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge

ROWS_PER_BATCH = 100_000


def replace_whole(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> None:
    """Replace all rows of a table, and its columns, by those of the relation `built`; a table not there is made."""

    def attempt() -> None:
        sizes = _sizes(cursor, merge)
        rows = cursor.execute(f'select * from "{merge.built}"').to_arrow_reader(ROWS_PER_BATCH)
        delta = lake.ready(merge.table, rows.schema, merge.partition_by)
        schema = pa.schema(Schema.from_arrow(rows.schema).to_arrow())
        files = Files(delta, lake.folder(merge.table), merge.packing, schema)
        come = [action for part, piece in _pieces(rows, merge, sizes) for action in files.write(part, [piece])]
        files.replace_all(come)

    lake.committing(merge.table, attempt)


def _sizes(cursor: duckdb.DuckDBPyConnection, merge: Merge) -> dict[Any, int]:
    """Say how many rows a file of each part holds, so that all files of a part hold about as many."""
    part = f'"{merge.partition_by}"' if merge.partition_by else "null"
    counted = cursor.execute(f'select {part}, count(*) from "{merge.built}" group by 1').fetchall()
    return {part: ceil(rows / ceil(rows / rows_per_file(rows, merge.few_rows))) for part, rows in counted}


def _pieces(rows: pa.RecordBatchReader, merge: Merge, sizes: dict[Any, int]) -> Iterator[tuple[Any, pa.Table]]:
    """Give the rows of one file after another, with their part."""
    waiting: dict[Any, pa.Table] = defaultdict(rows.schema.empty_table)
    for batch in rows:
        for part, some in in_parts(pa.Table.from_batches([batch]), merge.partition_by):
            held = pa.concat_tables([waiting[part], some])
            while held.num_rows >= sizes[part]:
                yield part, held.slice(0, sizes[part])
                held = held.slice(sizes[part])
            waiting[part] = held
    yield from ((part, held) for part, held in waiting.items() if held.num_rows)
