"""What a table is, and the types its columns have."""

from typing import NamedTuple

import pyarrow as pa

STRING, LONG, INT, DOUBLE, BOOLEAN = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.bool_()
DATE = pa.date32()


class Table(NamedTuple):
    """One table; `key` is unique, empty where rows are only ever appended.

    `partition` and `statistics` lay it out: statistics stand in the Delta log, which outlives a deletion, so no column
    that may tell who somebody is belongs there.
    """

    name: str
    owner: str
    key: tuple[str, ...]
    grain: str
    schema: pa.Schema
    partition: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()


def columns(**types: pa.DataType) -> pa.Schema:
    """Give a schema of these columns in this order."""
    return pa.schema(list(types.items()))
