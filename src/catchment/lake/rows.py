"""The rows of a Delta table as a dataset of Arrow that may be filtered whoever wrote the files."""

from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable


class Rows(ds.FileSystemDataset):  # type: ignore[misc]
    """The rows of a table in a store, filtered also where delta-rs has merged.

    A merge of delta-rs marks texts as views, for which Arrow has no comparisons: these files are filtered once read.
    """

    @classmethod
    def of(cls, delta: DeltaTable) -> "Rows":
        """Take a table at the version it was opened at."""
        rows = delta.to_pyarrow_dataset()
        return cls(list(rows.get_fragments()), rows.schema, rows.format, rows.filesystem)

    def scanner(self, columns: list[str] | None = None, **options: Any) -> ds.Scanner:
        """Give one scan; DuckDB asks for one with each query."""
        chosen = options.get("filter")
        if chosen is None or not any(_has_views(part.physical_schema) for part in self.get_fragments(filter=chosen)):
            return super().scanner(columns=columns, **options)
        asked = self.schema.names if columns is None else columns
        told = str(chosen)
        needed = [name for name in self.schema.names if name in asked or name in told]
        rows = super().scanner(columns=needed).to_reader()
        return ds.Scanner.from_batches(rows, columns=asked, filter=chosen)


def choose(part: Any, schema: pa.Schema, columns: list[str], chosen: Any) -> pa.Table:
    """Give the rows of one file of a table that a condition on these columns chooses, whoever wrote it."""
    if _has_views(part.physical_schema):
        return part.to_table(schema=schema, columns=columns).filter(chosen)
    return part.to_table(schema=schema, columns=columns, filter=chosen)


def _has_views(schema: pa.Schema) -> bool:
    return any("_view" in str(kind) for kind in schema.types)
