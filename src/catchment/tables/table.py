"""What a table is, and the types its columns have."""

from typing import NamedTuple

import pyarrow as pa

STRING, LONG, INT, DOUBLE, BOOLEAN = pa.string(), pa.int64(), pa.int32(), pa.float64(), pa.bool_()
DATE = pa.date32()


class Rewritten(NamedTuple):
    """How the files lie of a table that each update looks through, and of which it writes some again: small, and plain.

    Digests are most of what such tables hold; to compress them saves an eighth and costs half of the time to read them.
    A dictionary is kept of columns of few values. A merge cuts files by `file_rows`, who writes all by `file_bytes`.
    """

    file_rows: int
    file_bytes: int
    few_values: tuple[str, ...]


class Table(NamedTuple):
    """One table; `key` is unique, empty where rows are only ever appended.

    `partition` and `statistics` lay it out: statistics stand in the Delta log, which outlives a deletion, so no column
    that may tell who somebody is belongs there. `rewritten` is None where files are as large as upkeep makes them.
    """

    name: str
    owner: str
    key: tuple[str, ...]
    grain: str
    schema: pa.Schema
    partition: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    rewritten: Rewritten | None = None


def columns(**types: pa.DataType) -> pa.Schema:
    """Give a schema of these columns in this order."""
    return pa.schema(list(types.items()))
