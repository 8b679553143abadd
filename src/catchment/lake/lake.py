"""The Delta tables under one URI: append, merge, overwrite, read."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    TableFeatures,
    Transaction,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.fs.fs_handler import DeltaStorageHandler
from pyarrow.fs import FileSelector, PyFileSystem
from pyarrow.parquet import filters_to_expression

from catchment.errors import LakeError
from catchment.lake import LakeSettings
from catchment.lake.layout import lay_out, partition_of, parts_of, properties_of
from catchment.lake.rows import Rows
from catchment.lake.undisturbed import undisturbed
from catchment.tables import OFFSET, TABLES

NEVER = -1
"""What `committed` answers for a log that has not yet written to a table."""

_UPKEEP = {"OPTIMIZE", "SET TBLPROPERTIES", "VACUUM START", "VACUUM END"}

RECENT = 20
"""Commits that are looked at first: each is a file, and a day of streaming leaves many thousands."""

_LOG_STAYS = PostCommitHookProperties(cleanup_expired_logs=False)
"""To look for entries of the log that are too old, delta-rs lists all of it: upkeep does so, not each commit."""

COMMIT_TRIES = 15
"""Writers that meet at one table try again: each that loses lost to one that won, so so many may meet."""


class Lake:
    """All tables of one lake; stateless but for the URI, so cheap to make and safe to share between threads."""

    def __init__(self, uri: str, storage_options: dict[str, str] | None = None, *, retention_hours: int = 24) -> None:
        self.uri = uri.rstrip("/")
        self.storage_options = storage_options or {}
        self.retention_hours = retention_hours
        self._opened = threading.local()

    @classmethod
    def open(cls, settings: LakeSettings, project_folder: Path) -> "Lake":
        """Open the lake of a project; raises LakeError where a folder of this machine cannot be written."""
        hours = settings.upkeep.retention_hours
        local = _folder_of(settings.uri)
        if local is None:
            return cls(settings.uri, settings.storage_options, retention_hours=hours)
        folder = (project_folder / local).resolve()
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
        return cls(str(folder), settings.storage_options, retention_hours=hours)

    def path(self, table: str) -> str:
        """Give the URL of one table."""
        return f"{self.uri}/{table}"

    def folder(self, table: str) -> str | None:
        """Give the folder of one table, None where it is not on this machine."""
        return None if "://" in self.uri else self.path(table)

    def delta(self, table: str, version: int | None = None) -> DeltaTable:
        """Open one table at its newest version, or at the one named; raises LakeError where that was never written."""
        try:
            return DeltaTable(self.path(table), version=version, storage_options=self.storage_options)
        except TableNotFoundError as error:
            if version is not None and self.exists(table):
                raise LakeError(
                    f"Version {version} of table '{table}' cannot be read any more.",
                    hint="Its log was cleaned up; lake.upkeep.retention_hours says how long versions are kept.",
                ) from error
            raise LakeError(f"The lake has no table '{table}' yet.", hint="`catchment run` fills it.") from error
        except (OSError, DeltaError) as error:
            raise self._unusable(table, "read", error) from error

    def exists(self, table: str) -> bool:
        """Say whether a table was ever written."""
        try:
            return bool(DeltaTable.is_deltatable(self.path(table), storage_options=self.storage_options))
        except (OSError, DeltaError) as error:
            raise self._unusable(table, "read", error) from error

    def tables(self) -> list[str]:
        """Name the tables that stand in the lake."""
        if "://" in self.uri:
            try:
                store = PyFileSystem(DeltaStorageHandler(self.uri, self.storage_options))
                found = store.get_file_info(FileSelector("", recursive=False, allow_not_found=True))
            except (OSError, DeltaError) as error:
                raise self._unusable("", "listed", error) from error
            return sorted(entry.path for entry in found if self.exists(entry.path))
        return sorted(path.parent.name for path in Path(self.uri).glob("*/_delta_log"))

    def version(self, table: str) -> int | None:
        """Give the newest version of a table, None where it was never written."""
        delta = self._follow(table)
        return None if delta is None else int(delta.version())

    def count(self, table: str) -> int:
        """Count the rows of a table by its log; one never written has none."""
        delta = self._follow(table)
        return 0 if delta is None else int(delta.count())

    def schema(self, table: str) -> pa.Schema:
        """Give the columns of a table; raises LakeError where it was never written."""
        return pa.schema((self._follow(table) or self.delta(table)).schema().to_arrow())

    def data_version(self, table: str) -> int | None:
        """Give the newest version that changed rows, not only files; None where there is none."""
        if not self.exists(table):
            return None
        delta = self.delta(table)
        for limit in (RECENT, None):
            entries = delta.history(limit)
            changes = [entry["version"] for entry in entries if entry.get("operation") not in _UPKEEP]
            if changes:
                return int(max(changes))
        return int(delta.version())

    def committed(self, table: str, app_id: str) -> int:
        """Give the last offset of the log `app_id` that is in the table, NEVER where there is none."""
        delta = self._follow(table)
        version = None if delta is None else delta.transaction_version(app_id)
        return NEVER if version is None else int(version)

    def append(self, table: str, rows: pa.Table, *, app_id: str | None = None, offset: int | None = None) -> int:
        """Append rows in one commit, each offset of the log `app_id` once; give the number of rows appended.

        Rows whose `_offset` the table already holds are left out, so a batch may be repeated after a crash, and two
        writers that append the same rows at once add them once.
        """
        laid = lay_out(table, rows)

        def attempt() -> int:
            fresh, commit = laid, None
            delta = self._follow(table) or self.ready(table, laid.schema)
            if app_id is not None and offset is not None:
                version = delta.transaction_version(app_id)
                done = NEVER if version is None else int(version)
                if offset <= done:
                    return 0
                fresh = fresh.filter(pc.greater(fresh[OFFSET], done)) if done != NEVER else fresh
                commit = CommitProperties(app_transactions=[Transaction(app_id, offset)])
            if OFFSET in fresh.column_names:
                fresh = fresh.drop_columns([OFFSET])
            self._check_types(table, delta, fresh.schema)
            self._write(table, fresh, delta, mode="append", schema_mode="merge", commit_properties=commit)
            return int(fresh.num_rows)

        return int(self.committing(table, attempt))

    def append_batches(self, table: str, read: Callable[[], pa.RecordBatchReader]) -> None:
        """Append what a reader gives in one commit, with little memory; the reader is made anew for each try."""

        def attempt() -> None:
            rows = read()
            delta = self._follow(table) or self.ready(table, rows.schema)
            self._check_types(table, delta, rows.schema)
            self._write(table, rows, delta, mode="append", schema_mode="merge")

        self.committing(table, attempt)

    def overwrite(
        self,
        table: str,
        rows: pa.Table | pa.RecordBatchReader | Callable[[], pa.RecordBatchReader],
        *,
        where: str | None = None,
        partition_by: str | None = None,
    ) -> None:
        """Replace all rows, and the schema with them, in one commit; with `where`, only the rows that fit it.

        What makes a reader is called anew for each try, so that much may be replaced with little memory.
        """
        how: dict[str, Any] = {"schema_mode": "overwrite"} if where is None else {"predicate": where}
        if partition_by is not None:
            how["partition_by"] = [partition_by]
        # A reader's rows can be read once only, so what it gives cannot be tried again.
        tries = 1 if isinstance(rows, pa.RecordBatchReader) else COMMIT_TRIES

        def attempt() -> None:
            self._write(table, rows() if callable(rows) else rows, None, mode="overwrite", **how)

        self.committing(table, attempt, tries=tries)

    def ready(self, table: str, schema: pa.Schema, partition_by: str | None = None) -> DeltaTable:
        """Make an empty table unless there is one, so that rows come upon a version that was looked at.

        One that stands may be given these columns then: moments without a zone, which a model of somebody else may
        have, are a feature of Delta that a table must have before them.
        """
        names = [name for name in schema.names if name != OFFSET]
        delta = DeltaTable.create(
            self.path(table),
            pa.schema([schema.field(name) for name in names]),
            mode="ignore",
            partition_by=[partition_by] if partition_by is not None else partition_of(table, schema),
            configuration=properties_of(table, schema, self.retention_hours),
            storage_options=self.storage_options,
        )
        if _has_naive(schema) and not _has_naive(pa.schema(delta.schema())):
            features = [TableFeatures.TimestampWithoutTimezone]
            delta.alter.add_feature(features, allow_protocol_versions_increase=True)
        return delta

    def merge(self, table: str, rows: pa.Table, key: Sequence[str] | None = None) -> None:
        """Update the rows with the same key and insert the others, in one commit."""
        names = list(key or TABLES[table].key)
        match = " and ".join(f"target.{name} = source.{name}" for name in names)

        def attempt() -> None:
            if not self.exists(table):
                self._write(table, lay_out(table, rows), None, mode="append")
            elif rows.num_rows:
                merge = (
                    self.delta(table)
                    .merge(rows, match, source_alias="source", target_alias="target", merge_schema=True)
                    .when_matched_update_all()
                    .when_not_matched_insert_all()
                )
                with undisturbed():
                    merge.execute()

        self.committing(table, attempt)

    def read(self, table: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Read a small table whole; one never written reads as empty. For large ones ask an engine."""
        if self.exists(table):
            if filters is None:
                return self.delta(table).to_pyarrow_table(columns=columns)
            return Rows.of(self.delta(table)).to_table(columns=columns, filter=filters_to_expression(filters))
        empty = TABLES[table].schema.empty_table()
        return empty if columns is None else empty.select(columns)

    def committing(self, table: str, attempt: Callable[[], Any], *, tries: int = COMMIT_TRIES) -> Any:
        """Try again after a commit of somebody else; raises LakeError where the storage does not take ours."""
        for left in reversed(range(tries)):
            try:
                return attempt()
            except CommitFailedError as error:
                self._opened.__dict__.pop("handles", None)
                if not left:
                    raise self._unusable(table, "written", error) from error
            except (OSError, DeltaError) as error:
                self._opened.__dict__.pop("handles", None)
                raise self._unusable(table, "written", error) from error
        raise AssertionError("There is at least one try.")

    def _follow(self, table: str) -> DeltaTable | None:
        """Give this thread's own handle on a table, at its newest version: cheaper than to open it for each commit."""
        handles: dict[str, DeltaTable] = self._opened.__dict__.setdefault("handles", {})
        try:
            if table in handles:
                handles[table].update_incremental()
            elif self.exists(table):
                handles[table] = self.delta(table)
        except (OSError, DeltaError):
            # Its log was cleaned up behind it, or the table was made anew: what stands now is what counts.
            handles.pop(table, None)
            if self.exists(table):
                handles[table] = self.delta(table)
        return handles.get(table)

    def _write(self, table: str, rows: Any, delta: DeltaTable | None, **how: Any) -> None:
        made: dict[str, Any] = {"storage_options": self.storage_options, "writer_properties": parts_of(table)}
        made["post_commithook_properties"] = _LOG_STAYS
        if delta is None and not self.exists(table):
            properties = properties_of(table, rows.schema, self.retention_hours)
            made |= {"configuration": properties, "partition_by": partition_of(table, rows.schema)}
        made.update(how)
        with undisturbed():
            write_deltalake(self.path(table) if delta is None else delta, rows, **made)

    def _check_types(self, table: str, delta: DeltaTable, schema: pa.Schema) -> None:
        """Refuse a column whose type is not the table's: Delta would cast it, and 1.5 become 1 without a word."""
        known = {field.name: field.type for field in pa.schema(delta.schema())}
        for field in schema:
            if field.name in known and not _fits(field.type, known[field.name]):
                raise LakeError(
                    f"Column '{field.name}' of table '{table}' is {known[field.name]}, and rows came as {field.type}.",
                    hint="Publish the changed schema as a new version, which gets a column of its own; the rows wait.",
                )

    def _unusable(self, table: str, verb: str, error: Exception) -> LakeError:
        return LakeError(
            f"Table '{table}' of the lake {self.uri} cannot be {verb}: {error}",
            hint="Check the folder's permissions and free space, or the storage options.",
        )


def _fits(new: pa.DataType, known: pa.DataType) -> bool:
    """Say whether values of one type are kept whole in a column of another; a field more or less is no matter."""
    if pa.types.is_struct(new) and pa.types.is_struct(known):
        mine = {field.name: field.type for field in known}
        return all(_fits(field.type, mine[field.name]) for field in new if field.name in mine)
    if _is_list(new) and _is_list(known):
        return _fits(new.value_type, known.value_type)
    if pa.types.is_null(new) or (_is_text(known) and not pa.types.is_nested(new)):
        return True  # a number or a moment as text is still all of it
    if pa.types.is_integer(new) and pa.types.is_integer(known):
        return bool(new.bit_width <= known.bit_width)
    return bool(new == known) or (pa.types.is_temporal(new) and pa.types.is_temporal(known))


def _has_naive(schema: pa.Schema) -> bool:
    return any(pa.types.is_timestamp(field.type) and field.type.tz is None for field in schema)


def _is_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) or pa.types.is_large_list(type_))


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))


def _folder_of(uri: str) -> str | None:
    """Give the folder that a setting names by its path or by a URL of this machine; None for an object store."""
    if not uri.startswith("file:"):
        return None if "://" in uri else uri
    path = unquote(uri.removeprefix("file:").removeprefix("//").removeprefix("localhost"))
    if not path.startswith("/"):
        raise LakeError(f"lake.uri is {uri}, which names no folder.", hint="Write the folder's path, without file://.")
    return path
