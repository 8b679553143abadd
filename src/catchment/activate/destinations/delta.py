"""A Delta table of somebody else's lake, kept in step with ours."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError, SchemaMismatchError
from pydantic import Field, SecretStr

from catchment.activate.batch import Operation
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import SENT, Batch, Destination, Limits, Outcome, Target
from catchment.errors import DefinitionError

KEY = "_catchment_key"
TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
GONE = ("remove", "forget")


class _DeltaTarget(Target):
    table: str = Field(pattern=r"^[\w./-]+$", description="The table's folder under the url; made where there is none.")


class Delta(Destination):
    """A Delta table outside the lake: each batch is one merge by our key, so that it may come again."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "update", "event")
    target_kind: ClassVar[type[Target]] = _DeltaTarget
    batch_limits: ClassVar[Limits] = Limits(rows=200_000)
    can_forget: ClassVar[bool] = True

    url: str = Field(description="A folder, or s3://, gs:// or abfs:// with bucket and folder.")
    options: dict[str, SecretStr] = Field(default={}, description="Of the object store, as delta-rs calls them.")

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say yes: rows are merged by our key."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Merge a batch, in one commit for each set of fields that rows tell; commits bear the id of the batch."""
        for rows in _groups(batch):
            with self._said(batch.sync):
                self._merge(batch, rows)
        return [SENT] * len(batch.rows)

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete the rows; older versions have them until that table is vacuumed."""
        return self.send(batch._replace(operation="forget"), caller)

    def ask(self, caller: Caller) -> None:
        """Look whether the folder can be reached."""
        with self._said(None):
            DeltaTable.is_deltatable(self.url, storage_options=self._options())

    @property
    def address(self) -> str:
        """Give the URL."""
        return self.url

    def _options(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self.options.items()}

    def _merge(self, batch: Batch, rows: pa.Table) -> None:
        uri = f"{self.url.rstrip('/')}/{self.target(batch.sync, _DeltaTarget).table}"
        if not DeltaTable.is_deltatable(uri, storage_options=self._options()):
            DeltaTable.create(uri, rows.schema, mode="ignore", storage_options=self._options())
        named = CommitProperties(custom_metadata={"catchment.sync": batch.sync.name, "catchment.batch": batch.id})
        merge = DeltaTable(uri, storage_options=self._options()).merge(
            rows,
            f"target.{KEY} = source.{KEY}",
            source_alias="source",
            target_alias="target",
            commit_properties=named,
            merge_schema=True,
        )
        told = {f"`{name}`": f"source.`{name}`" for name in rows.column_names}
        if batch.operation in GONE:
            merge.when_matched_delete().execute()
        elif batch.operation in ("insert", "event"):
            merge.when_not_matched_insert(told).execute()
        elif batch.operation in ("update", "clear"):
            merge.when_matched_update(told).execute()
        else:
            merge.when_matched_update(told).when_not_matched_insert(told).execute()

    @contextmanager
    def _said(self, sync: Sync | None) -> Iterator[None]:
        place = self.place if sync is None else sync.file
        try:
            yield
        except SchemaMismatchError as error:
            raise DefinitionError(
                f"{place}: the table cannot hold it: {error}", hint="Give the field the type that the table has."
            ) from error
        except (DeltaError, OSError) as error:
            raise Unanswered(str(error), code=type(error).__name__, is_silent=True) from error


def _groups(batch: Batch) -> Iterator[pa.Table]:
    """Give rows with the same fields together: what a row does not tell is left as it is there."""
    groups: dict[tuple[str, ...], list[tuple[str, dict[str, Any]]]] = {}
    for key, row in zip(batch.keys, batch.rows, strict=True):
        groups.setdefault(tuple(sorted(row)), []).append((key, row))
    sources = batch.sync.sources()
    for names, told in groups.items():
        columns = {KEY: pa.array([key for key, _ in told], pa.string())}
        for name in names:
            kind = getattr(sources.get(name), "type", None)
            column = pa.array([row[name] for _, row in told], TYPES.get(str(kind)))
            columns[name] = column.cast(pa.string()) if pa.types.is_null(column.type) else column
        yield pa.table(columns)
