"""The Delta tables under one URI: append, merge, overwrite, read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError

from catchment.errors import LakeError
from catchment.lake import LakeSettings
from catchment.lake.undisturbed import undisturbed
from catchment.tables import OFFSET, TABLES

NEVER = -1
"""What `committed` answers for a log that has not yet written to a table."""


class Lake:
    """All tables of one lake; stateless but for the URI, so cheap to make and safe to share between threads."""

    def __init__(self, uri: str, storage_options: dict[str, str] | None = None) -> None:
        self.uri = uri.rstrip("/")
        self.storage_options = storage_options or {}

    @classmethod
    def open(cls, settings: LakeSettings, project_folder: Path) -> "Lake":
        """Open the lake of a project; raises LakeError where a local folder cannot be written."""
        if "://" in settings.uri:
            return cls(settings.uri, settings.storage_options)
        folder = (project_folder / settings.uri).resolve()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise LakeError(
                f"The lake folder {folder} cannot be written: {error.strerror}.",
                hint=f"`chmod u+w {folder}`, or set lake.uri in catchment.yml to another folder.",
            ) from error
        return cls(str(folder), settings.storage_options)

    def path(self, table: str) -> str:
        """Give the URL of one table."""
        return f"{self.uri}/{table}"

    def delta(self, table: str) -> DeltaTable:
        """Open one table at its newest version; raises LakeError where it was never written."""
        try:
            return DeltaTable(self.path(table), storage_options=self.storage_options)
        except TableNotFoundError as error:
            raise LakeError(f"The lake has no table '{table}' yet.", hint="`catchment run` fills it.") from error

    def exists(self, table: str) -> bool:
        """Say whether a table was ever written."""
        return bool(DeltaTable.is_deltatable(self.path(table), storage_options=self.storage_options))

    def tables(self) -> list[str]:
        """Name the tables that stand in a local lake, and the declared ones that stand in a remote one."""
        if "://" in self.uri:
            return [name for name in TABLES if self.exists(name)]
        return sorted(path.parent.name for path in Path(self.uri).glob("*/_delta_log"))

    def version(self, table: str) -> int | None:
        """Give the newest version of a table, None where it was never written."""
        return self.delta(table).version() if self.exists(table) else None

    def committed(self, table: str, app_id: str) -> int:
        """Give the last offset of the log `app_id` that is in the table, NEVER where there is none."""
        if not self.exists(table):
            return NEVER
        version = self.delta(table).transaction_version(app_id)
        return NEVER if version is None else int(version)

    def append(self, table: str, rows: pa.Table, *, app_id: str | None = None, offset: int | None = None) -> int:
        """Append rows in one commit, each offset of the log `app_id` once; give the number of rows appended.

        Rows whose `_offset` the table already holds are left out, so a batch may be repeated after a crash.
        """
        commit = None
        if app_id is not None and offset is not None:
            done = self.committed(table, app_id)
            if offset <= done:
                return 0
            rows = rows.filter(pc.greater(rows[OFFSET], done))
            commit = CommitProperties(app_transactions=[Transaction(app_id, offset)])
        if OFFSET in rows.column_names:
            rows = rows.drop_columns([OFFSET])
        self._write(table, rows, mode="append", schema_mode="merge", commit_properties=commit)
        return int(rows.num_rows)

    def overwrite(
        self, table: str, rows: pa.Table, *, where: str | None = None, partition_by: str | None = None
    ) -> None:
        """Replace all rows, and the schema with them, in one commit; with `where`, only the rows that fit it."""
        how: dict[str, Any] = {"schema_mode": "overwrite"} if where is None else {"predicate": where}
        if partition_by is not None:
            how["partition_by"] = [partition_by]
        self._write(table, rows, mode="overwrite", **how)

    def merge(self, table: str, rows: pa.Table, key: Sequence[str] | None = None) -> None:
        """Update the rows with the same key and insert the others, in one commit."""
        key = list(key or TABLES[table].key)
        if not self.exists(table):
            self._write(table, rows, mode="append")
            return
        if rows.num_rows == 0:
            return
        match = " and ".join(f"target.{name} = source.{name}" for name in key)
        merge = (
            self.delta(table)
            .merge(rows, match, source_alias="source", target_alias="target", merge_schema=True)
            .when_matched_update_all()
            .when_not_matched_insert_all()
        )
        with undisturbed():
            merge.execute()

    def merge_marked(self, table: str, rows: pa.Table, *, key: Sequence[str], removed: str, within: str) -> None:
        """Update and insert rows, and remove those whose column `removed` is true, in one commit.

        `within` is SQL over `target` that names the only files where standing rows can be: no other is rewritten.
        """
        match = " and ".join([within, *(f"target.{name} = source.{name}" for name in key)])
        values = {name: f"source.{name}" for name in rows.column_names if name != removed}
        merge = (
            self.delta(table)
            .merge(rows, match, source_alias="source", target_alias="target")
            .when_matched_delete(f"source.{removed}")
            .when_matched_update(values, f"not source.{removed}")
            .when_not_matched_insert(values, f"not source.{removed}")
        )
        with undisturbed():
            merge.execute()

    def read(self, table: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Read a small table whole; one never written reads as empty. For large ones ask an engine."""
        if self.exists(table):
            return self.delta(table).to_pyarrow_table(columns=columns, filters=filters)
        empty = TABLES[table].schema.empty_table()
        return empty if columns is None else empty.select(columns)

    def _write(self, table: str, rows: pa.Table, **how: Any) -> None:
        try:
            with undisturbed():
                write_deltalake(self.path(table), rows, storage_options=self.storage_options, **how)
        except OSError as error:
            raise LakeError(
                f"Table '{table}' of the lake {self.uri} cannot be written: {error}",
                hint="Check the folder's permissions and free space, or the storage options.",
            ) from error
