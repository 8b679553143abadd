"""A table of any database that SQLAlchemy speaks to: PostgreSQL, MySQL, SQLite and others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import polars as pl
import sqlalchemy as sa
from pydantic import Field, PrivateAttr, SecretStr
from sqlalchemy import exc

from catchment.activate.batch import Operation
from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Leave, Mode, Sync, near
from catchment.activate.destination import (
    LEFT_OUT,
    SENT,
    Batch,
    Destination,
    Limits,
    Outcome,
    Payload,
    Refused,
    Target,
    missing,
)
from catchment.activate.staging import KEY, MOVES, ledger_of, part_misfits, stage
from catchment.errors import DefinitionError, SettingsError

LATER = {"40001", "40P01", "55P03", 1205, 1213}
"""Serialisation failures, deadlocks and lock time-outs: nothing was done."""
KEY_REFUSED = ("authentication failed", "access denied", "no password supplied", "login failed")


class _SQLTarget(Target):
    table: str = Field(description="The table that rows go to; it must exist.")
    schema_name: str | None = Field(default=None, alias="schema", description="The schema that the table is in.")


class SQL(Destination):
    """A table of a database: rows are staged beside it and moved there in one transaction, each batch exactly once."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "update", "event")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "clear")
    target_kind: ClassVar[type[Target]] = _SQLTarget
    batch_limits: ClassVar[Limits] = Limits(rows=10_000)
    can_forget: ClassVar[bool] = True
    can_read: ClassVar[bool] = True

    url: SecretStr = Field(description="SQLAlchemy URL, such as postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
    _tables: dict[tuple[str | None, str], sa.Table] = PrivateAttr(default_factory=dict)

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Leave out rows that lack a part of their key."""
        return rows.with_columns(missing(all_of=list(sync.identifiers)).alias(LEFT_OUT))

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say yes: the ledger beside the table knows what was made."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Move a batch into the table, whole or not at all; a row that does not fit its columns is left behind."""
        table = self._table(batch.sync)
        fitting, misfits = part_misfits(batch, table)
        with self._transaction(batch.sync) as connection:
            for staged in stage(connection, table, fitting, place=f"{batch.sync.name}:{table.fullname}"[:200]):
                MOVES[batch.operation](connection, staged)
        return [misfits.get(key, SENT) for key in batch.keys]

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete the rows, whoever made them."""
        return self.send(batch._replace(operation="forget"), caller)

    def read(self, batch: Batch, caller: Caller) -> list[Payload]:
        """Give what the table holds of each row."""
        keys, fields = list(batch.sync.identifiers), list(batch.sync.fields)
        asked = batch._replace(rows=[{name: row[name] for name in keys} for row in batch.rows])
        held: dict[str, Payload] = {}
        table = self._table(batch.sync)
        with self._transaction(batch.sync) as connection:
            for staged in stage(connection, table, part_misfits(asked, table)[0], place=""):
                question = sa.select(staged.rows.c[KEY], *(table.c[name] for name in fields)).where(staged.meets())
                for key, *values in connection.execute(question):
                    held[str(key)] = dict(zip(fields, values, strict=True))
        return [held.get(key, {}) for key in batch.keys]

    def ask(self, caller: Caller) -> None:
        """Connect."""
        with self._transaction(None) as connection:
            connection.execute(sa.select(1))

    @property
    def address(self) -> str:
        """Give the URL without its password."""
        return self._parsed.render_as_string(hide_password=True)

    @property
    def _parsed(self) -> sa.URL:
        try:
            return sa.make_url(self.url.get_secret_value())
        except exc.ArgumentError as error:
            raise SettingsError(
                f"{self.place}.url is no SQLAlchemy URL.",
                hint="Write it as sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
            ) from error

    @contextmanager
    def _transaction(self, sync: Sync | None) -> Iterator[sa.Connection]:
        """Hold one transaction, and say in our words what goes wrong in it; its connection ends with it."""
        try:
            with sa.create_engine(self._parsed, poolclass=sa.NullPool).begin() as connection:
                yield connection
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"{self.place}.url needs the driver {error.name}, which is not installed.",
                hint="pip install 'catchment[postgres]' or 'catchment[mysql]', or the driver that the URL names.",
            ) from error
        except exc.StatementError as error:
            raise self._said(error, sync) from error

    def _table(self, sync: Sync) -> sa.Table:
        """Look the table up once a run, and set up its ledger; raises DefinitionError for what it has not."""
        target = self.target(sync, _SQLTarget)
        place = (target.schema_name, target.table)
        if place not in self._tables:
            with self._transaction(sync) as connection:
                table = self._reflect(connection, target, sync)
                ledger_of(table).create(connection, checkfirst=True)
            self._tables[place] = table
        table = self._tables[place]
        for name in (*sync.identifiers, *sync.fields):
            if name not in table.c:
                message = f"{sync.file}: {name}: the table {table.fullname} has no such column."
                raise DefinitionError(message, hint=near(name, table.c.keys()))
        return table

    def _reflect(self, connection: sa.Connection, target: _SQLTarget, sync: Sync) -> sa.Table:
        try:
            return sa.Table(target.table, sa.MetaData(), schema=target.schema_name, autoload_with=connection)
        except exc.NoSuchTableError as error:
            names = ", ".join(f"{name} ..." for name in (*sync.identifiers, *sync.fields))
            raise DefinitionError(
                f"{sync.file}: target.table: {self.address} has no table '{target.table}'.",
                hint=f"create table {target.table} ({names})",
            ) from error

    def _said(self, error: exc.StatementError, sync: Sync | None) -> Exception:
        """Make of a database's error who must act: rows are to blame, the sync, the key, or nobody."""
        said = str(error.orig).strip().splitlines()[0]
        code = getattr(error.orig, "sqlstate", None) or (error.orig.args or [None])[0] if error.orig else None
        if any(word in str(error.orig).lower() for word in KEY_REFUSED):
            return self.refused_key("url", said)
        if code in LATER or "locked" in said:
            return Unanswered(said, code=str(code), may_have_acted=False)
        if isinstance(error, exc.IntegrityError | exc.DataError) or not isinstance(error, exc.DBAPIError):
            return Refused(said, code=str(code))
        if isinstance(error, exc.ProgrammingError) and sync is not None:
            return DefinitionError(
                f"{sync.file}: target: the database refused: {said}", hint="Grant it, or mend target."
            )
        return Unanswered(said, code=type(error).__name__, is_silent=error.connection_invalidated)
