"""Which files came into a table between two of its versions, read from its Delta log."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable

from catchment.errors import LakeError
from catchment.lake.lake import Lake
from catchment.lake.log import files_of, read_entry


class Appended:
    """The rows that were appended to a table since a version."""

    def __init__(self, delta: DeltaTable, paths: list[str]) -> None:
        self._delta = delta
        self.paths = paths

    def read(self, columns: list[str]) -> pa.RecordBatchReader:
        """Give these columns of the rows, batch by batch; a column that a file has not is null."""
        whole = pa.schema(self._delta.schema().to_arrow())
        schema = pa.schema([pa.field(whole.field(name)) for name in columns])
        if not self.paths:
            return schema.empty_table().to_reader()
        files = ds.dataset(
            self.paths, schema=schema, format="parquet", filesystem=files_of(self._delta), partitioning=_hive(whole)
        )
        return files.scanner(columns=columns).to_reader()


def appended_since(lake: Lake, table: str, version: int) -> Appended | None:
    """Give what was appended after `version`; None where that cannot be told, or where rows were removed or changed.

    Compaction moves rows without changing them, so its files are left out, and those it replaced are read as long as
    they stand.
    """
    delta = lake.delta(table)
    files = files_of(delta)
    paths = []
    for number in range(version + 1, delta.version() + 1):
        actions = read_entry(files, number)
        if actions is None:
            return None
        changes = [change for action in actions for change in _changes(action)]
        if any(kind == "remove" for kind, _ in changes):
            return None
        paths += [path for _, path in changes]
    if any(not info.is_file for info in files.get_file_info(paths)):
        return None
    return Appended(delta, paths)


def still_stands(lake: Lake, table: str, versions: Sequence[int]) -> bool:
    """Say whether all these versions of a table can be read: neither their log nor their files were cleaned up."""
    try:
        for version in versions:
            delta = lake.delta(table, version)
            paths = pa.table(delta.get_add_actions())["path"].to_pylist()
            if any(not info.is_file for info in files_of(delta).get_file_info(paths)):
                return False
    except LakeError:
        return False
    return True


def _changes(action: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in ("add", "remove"):
        change = action.get(kind)
        if change is not None and change.get("dataChange", True):
            yield kind, unquote(change["path"])


def _hive(schema: pa.Schema) -> ds.Partitioning:
    return ds.partitioning(flavor="hive", schema=schema)
