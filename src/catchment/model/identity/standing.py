"""What stands in the tables of identity, found by keys: a key is a number, so that little of a large table is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from catchment.lake.files import FILE, Files
from catchment.lake.lake import Lake
from catchment.lake.layout import packing_of
from catchment.tables import (
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_MERGES,
)
from catchment.tables.table import Table

HELD = "{}__held"
"""The rows of a table that are made anew, as they stand."""
_PART = "_part"


class Read(NamedTuple):
    """How a table is read: by which columns a row is known, and known to be another; which rows are made anew.

    In `order` of time all is written, for what comes concerns what came lately, and then lies in few files.
    """

    key: tuple[str, ...]
    columns: tuple[str, ...]
    where: str
    order: str


READ = {
    IDENTITY_EDGES.name: Read(
        key=("key_a", "key_b", "week"),
        columns=("key_a", "key_b", "first_seen_tstamp", "last_seen_tstamp", "weekdays", "first_event_id"),
        where="key_b in (select key_b from edges_told) and key_a in (select key_a from edges_told)",
        order="first_seen_tstamp",
    ),
    IDENTITY_IDENTIFIERS.name: Read(
        key=("key",),
        columns=("kind", "value", "first_seen_tstamp", "key", "person_key", "cluster"),
        where="cluster in (select cluster from concerned_clusters)",
        order="first_seen_tstamp",
    ),
    IDENTITY_HISTORY.name: Read(
        key=("key", "valid_from"),
        columns=("key", "person_key", "valid_from", "valid_to"),
        where="key in (select key from nodes)",
        order="valid_from",
    ),
    IDENTITY_MERGES.name: Read(
        key=("key", "merged_tstamp"),
        columns=("key", "survivor_key", "current_key", "merged_tstamp", "key_a", "key_b"),
        where="key in (select key from nodes)",
        order="merged_tstamp",
    ),
    IDENTITY_CONFLICTS.name: Read(
        key=("key_a", "key_b"),
        columns=(
            *("key_a", "key_b", "reason", "kind", "person_a", "person_b"),
            *("first_seen_tstamp", "last_seen_tstamp"),
        ),
        where="key_a in (select key from nodes)",
        order="first_seen_tstamp",
    ),
}


@dataclass
class Standing:
    """The tables as they stood when each was first looked at; `look_again` where somebody else has committed since."""

    cursor: duckdb.DuckDBPyConnection
    lake: Lake
    _files: dict[str, Files] = field(default_factory=dict)

    def files(self, table: Table) -> Files:
        """Give the files of a table."""
        if table.name not in self._files:
            delta, folder = self.lake.delta(table.name), self.lake.folder(table.name)
            self._files[table.name] = Files(delta, folder, packing_of(table.name))
        return self._files[table.name]

    def knows(self, table: Table) -> bool:
        """Say whether a table was looked at."""
        return table.name in self._files

    def look_again(self, table: Table) -> None:
        """Forget how a table stood."""
        self._files.pop(table.name, None)

    def in_parts(self, table: Table, parts: set[Any]) -> set[int]:
        """Number the files of some parts of a table."""
        return {file.number for file in self.files(table).all if file.part in parts}

    def find(
        self, table: Table, columns: Iterable[str], where: str, *, found: str, among: set[int] | None = None
    ) -> None:
        """Make a table `found` of the rows that a condition on keys chooses, with their file and what it is parted by.

        With `among` only the files of these numbers are looked at.
        """
        files = self.files(table)
        looked_at = [file for file in files.all if among is None or file.number in among]
        told = files.relation(self.cursor, looked_at, list(columns))
        rows = f"select * from {told} as held where {where}"
        if files.part_column is not None:
            rows = f"select held.*, {_PART} as {files.part_column} from ({rows}) as held inner join part using ({FILE})"
            self._show_parts(files)
        self.cursor.execute(f"create or replace temp table {found} as {rows}")

    def _show_parts(self, files: Files) -> None:
        schema = pa.schema([(FILE, pa.int32()), (_PART, files.schema.field(files.part_column).type)])
        rows = [{FILE: file.number, _PART: file.part} for file in files.all]
        self.cursor.register("part", pa.Table.from_pylist(rows, schema))
