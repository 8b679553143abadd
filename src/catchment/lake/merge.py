"""Bring a Delta table to what a model gives for some of its rows, touching only the rows that differ.

Runs inside DuckDB over two tables of one connection: the model's new rows, and the view over the standing Delta table.
"""

from dataclasses import dataclass
from typing import Any

import duckdb

from catchment.lake.lake import Lake

REMOVED = "_removed"
STANDING = "standing_rows"


@dataclass(frozen=True)
class Merge:
    """One table to bring up to date, from the relation `built`.

    `scope` says (in SQL over the table's columns) for which standing rows the model speaks: those of them that it no
    longer gives are removed. `partitions` names the values of `partition_by` among which standing rows can be.
    """

    table: str
    built: str
    unique_key: tuple[str, ...]
    scope: str | None
    partition_by: str | None
    partitions: str | None

    @classmethod
    def of(cls, table: str, config: dict[str, Any]) -> "Merge":
        """Read the configuration of a dbt model."""
        names = ("built", "scope", "partition_by", "partitions")
        return cls(table=table, unique_key=tuple(config["unique_key"]), **{name: config[name] for name in names})

    @property
    def mine(self) -> str:
        """SQL: which standing rows the model speaks for."""
        key = ", ".join(self.unique_key)
        given = f'({key}) in (select ({key}) from "{self.built}")'
        return f"({given})" if self.scope is None else f"({given} or {self.scope})"


def merge_changed(cursor: duckdb.DuckDBPyConnection, lake: Lake, merge: Merge) -> int:
    """Commit the rows that differ in one MERGE; gives how many, and commits nothing where none does."""
    parts = _parts(cursor, merge)
    _read_standing(cursor, merge, parts)
    changed = _changed(cursor, merge)
    count = int(cursor.execute(f"select count(*) from ({changed})").fetchall()[0][0])
    if count:
        rows = cursor.execute(changed).to_arrow_table()
        lake.merge_marked(
            merge.table, rows, key=merge.unique_key, removed=REMOVED, within=_within(merge, parts, "target.")
        )
    cursor.execute(f"drop table {STANDING}")
    return count


def _parts(cursor: duckdb.DuckDBPyConnection, merge: Merge) -> list[Any]:
    if merge.partition_by is None:
        return []
    standing = merge.partitions or f'select {merge.partition_by} from "{merge.table}" where {merge.mine}'
    rows = cursor.execute(
        f'select distinct part from ({standing} union select {merge.partition_by} from "{merge.built}") as parts(part)'
        " where part is not null order by part"
    ).fetchall()
    return [row[0] for row in rows]


def _within(merge: Merge, parts: list[Any], prefix: str = "") -> str:
    """SQL that keeps a reader and a writer to the files that can hold what is sought."""
    if merge.partition_by is None or not parts:
        return "true"
    values = ", ".join(f"date '{part}'" for part in parts)
    return f"{prefix}{merge.partition_by} in ({values})"


def _read_standing(cursor: duckdb.DuckDBPyConnection, merge: Merge, parts: list[Any]) -> None:
    cursor.execute(
        f'create or replace table {STANDING} as select * from "{merge.table}" '
        f"where {_within(merge, parts)} and {merge.mine}"
    )


def _changed(cursor: duckdb.DuckDBPyConnection, merge: Merge) -> str:
    """SQL: the rows that differ, and the keys of those to remove, marked."""
    columns = [row[0] for row in cursor.execute(f'describe "{merge.built}"').fetchall()]
    known = {row[0] for row in cursor.execute(f"describe {STANDING}").fetchall()}
    names = ", ".join(columns)
    rows = f'select {names} from "{merge.built}"'
    if known.issuperset(columns):
        rows += f" except select {names} from {STANDING}"
    changed = f"select *, false as {REMOVED} from ({rows})"
    if merge.scope is None:
        return changed
    key = ", ".join(merge.unique_key)
    gone = f'select {key} from {STANDING} where {merge.scope} except select {key} from "{merge.built}"'
    return f"{changed} union all by name select *, true as {REMOVED} from ({gone})"
