"""Rows on their way into a table of somebody's database: staged beside it, then moved there in one transaction.

A ledger beside the table remembers by our key which rows we made, and in which batch: a row that goes once goes once
though its batch comes again, and who leaves takes out no row that was there before us.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from catchment.activate.batch import Batch, Outcome, Payload

LEDGER = sa.Table(
    "catchment_rows",
    sa.MetaData(),
    sa.Column("place", sa.String(200), primary_key=True),
    sa.Column("row_key", sa.String(400), primary_key=True),
    sa.Column("batch_id", sa.String(200), nullable=False),
    sa.Column("run_id", sa.String(64), nullable=False),
)
KEY = "catchment_row_key"


class Staged(NamedTuple):
    """Some rows of one batch that tell the same fields, in a temporary table, and how they meet the table's rows."""

    table: sa.Table
    rows: sa.Table
    batch: Batch
    fields: list[str]
    ledger: sa.Table
    place: str

    @property
    def keys(self) -> list[str]:
        """Name the columns that tell rows apart."""
        return list(self.batch.sync.identifiers)

    def meets(self) -> sa.ColumnElement[bool]:
        """Say that a row of the table is a staged one."""
        return sa.and_(*(self.table.c[name] == self.rows.c[name] for name in self.keys))

    def ours(self) -> sa.Exists:
        """Say that we made a staged row."""
        mine = (self.ledger.c.place == self.place) & (self.ledger.c.row_key == self.rows.c[KEY])
        return sa.exists().where(mine).correlate(self.rows)


def upsert(connection: sa.Connection, staged: Staged) -> None:
    """Change the rows that are there, and make those that are not."""
    change(connection, staged)
    there = sa.exists().where(staged.meets()).correlate(staged.rows)
    _make(connection, staged, ~there)


def insert(connection: sa.Connection, staged: Staged) -> None:
    """Make every row that we have not made before."""
    _make(connection, staged, ~staged.ours())


def change(connection: sa.Connection, staged: Staged) -> None:
    """Change the rows that are there; make none."""
    values = {name: staged.rows.c[name] for name in staged.fields if name not in staged.keys}
    if values:
        connection.execute(sa.update(staged.table).where(staged.meets()).values(values))


def remove(connection: sa.Connection, staged: Staged) -> None:
    """Take out the rows that we made; of a row that was there before us, empty what we had set."""
    found = sa.select(sa.literal(1)).select_from(staged.rows).where(staged.meets())
    mine = sa.exists(found.where(staged.ours()).correlate(staged.table))
    connection.execute(sa.delete(staged.table).where(mine))
    empty = {name: sa.null() for name in staged.fields if name not in staged.keys}
    if empty:
        connection.execute(sa.update(staged.table).where(sa.exists(found.correlate(staged.table))).values(empty))
    _forget_ours(connection, staged)


def delete(connection: sa.Connection, staged: Staged) -> None:
    """Take out the rows, whoever made them."""
    found = sa.select(sa.literal(1)).select_from(staged.rows).where(staged.meets())
    connection.execute(sa.delete(staged.table).where(sa.exists(found.correlate(staged.table))))
    _forget_ours(connection, staged)


MOVES: dict[str, Callable[[sa.Connection, Staged], None]] = {
    "upsert": upsert,
    "insert": insert,
    "event": insert,
    "update": change,
    "clear": change,
    "remove": remove,
    "forget": delete,
}


def stage(connection: sa.Connection, table: sa.Table, batch: Batch, *, place: str) -> Iterator[Staged]:
    """Put rows that fit into temporary tables, one for each set of fields that rows tell."""
    ledger = ledger_of(table)
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for key, row in zip(batch.keys, batch.rows, strict=True):
        groups.setdefault(tuple(sorted(row)), []).append({KEY: key, **row})
    for number, (fields, rows) in enumerate(groups.items()):
        columns: list[sa.Column[Any]] = [sa.Column(KEY, LEDGER.c.row_key.type)]
        columns += [sa.Column(name, table.c[name].type, autoincrement=False) for name in fields]
        staging = sa.Table(f"catchment_staging_{number}", sa.MetaData(), *columns, prefixes=["TEMPORARY"])
        staging.create(connection)
        connection.execute(sa.insert(staging), rows)
        yield Staged(table, staging, batch, list(fields), ledger, place)


def ledger_of(table: sa.Table) -> sa.Table:
    """Give the ledger of a table, which is in the same schema."""
    return LEDGER.to_metadata(sa.MetaData(), schema=table.schema)  # type: ignore[arg-type]


def part_misfits(batch: Batch, table: sa.Table) -> tuple[Batch, dict[str, Outcome]]:
    """Part rows whose values the table's columns can hold, as these take them, from the others, by key."""
    fitting: dict[str, Payload] = {}
    misfits: dict[str, Outcome] = {}
    for key, row in zip(batch.keys, batch.rows, strict=True):
        name = ""
        try:
            fitted = {}
            for name, value in row.items():
                fitted[name] = fit(value, table.c[name].type)
            fitting[key] = fitted
        except (ValueError, TypeError, ArithmeticError):
            misfits[key] = Outcome("rejected", "type", f"{name} is not of the column's type {table.c[name].type}", name)
    return batch._replace(rows=list(fitting.values()), keys=tuple(fitting)), misfits


def fit(value: Any, kind: sa.types.TypeEngine[Any]) -> Any:
    """Make of a payload's value one that a column of that type takes; raises an error of Python where none is."""
    if value is None or isinstance(kind, sa.JSON):
        return value
    if isinstance(kind, sa.DateTime):
        moment = datetime.fromisoformat(value)
        return moment if kind.timezone else moment.replace(tzinfo=None)
    if isinstance(kind, sa.Date):
        return date.fromisoformat(str(value)[:10])
    if isinstance(kind, sa.Integer):
        return _whole(value)
    if isinstance(kind, sa.Numeric | sa.Float):
        return Decimal(str(value)) if kind.asdecimal else float(value)
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else value


def _whole(value: Any) -> int:
    number = int(value)
    if not isinstance(value, str) and number != value:
        raise ValueError(f"{value} is not whole")
    return number


def _make(connection: sa.Connection, staged: Staged, which: sa.ColumnElement[bool]) -> None:
    """Make rows and remember that we did; the ledger is asked first, because then none of them is there yet."""
    row_key = staged.rows.c[KEY]
    marks = sa.select(
        sa.literal(staged.place), row_key, sa.literal(staged.batch.id), sa.literal(staged.batch.run_id)
    ).where(which)
    made = sa.select(*(staged.rows.c[name] for name in staged.fields)).where(which)
    if staged.batch.operation == "upsert":
        mine = (staged.ledger.c.place == staged.place) & staged.ledger.c.row_key.in_(sa.select(row_key).where(which))
        connection.execute(sa.delete(staged.ledger).where(mine))
        connection.execute(sa.insert(staged.ledger).from_select(list(staged.ledger.c.keys()), marks))
        connection.execute(sa.insert(staged.table).from_select(staged.fields, made))
        return
    connection.execute(sa.insert(staged.table).from_select(staged.fields, made))
    connection.execute(sa.insert(staged.ledger).from_select(list(staged.ledger.c.keys()), marks))


def _forget_ours(connection: sa.Connection, staged: Staged) -> None:
    gone = staged.ledger.c.row_key.in_(sa.select(staged.rows.c[KEY]))
    connection.execute(sa.delete(staged.ledger).where(staged.ledger.c.place == staged.place, gone))
