"""The tables that an audience may see, by name, and how their rows belong to its parent."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import ibis
import pyarrow as pa

from catchment.audience import AudienceSettings
from catchment.audience.relations import USUAL, Parent, Relation
from catchment.audience.values import Scope, near, refusal

WHOSE = "_whose"
"""The column in which rows of a related table say which parent row they belong to."""


class Catalog(NamedTuple):
    """Tables by name, opened only when a condition speaks of them, and what settings declare about them."""

    tables: Mapping[str, Callable[[], Any]]
    settings: AudienceSettings

    def with_table(self, name: str, table: Any) -> "Catalog":
        """Give the same catalog with one table put in place of another."""
        return self._replace(tables={**self.tables, name: lambda: table})

    def key(self, parent: str) -> str:
        """Name the column that tells a parent's rows apart."""
        return self.settings.parents.get(parent, Parent()).key

    def relation(self, name: str, parent: str) -> Relation | None:
        """Give how a table is related to a parent, None where settings do not say and its columns do not either."""
        declared = self.settings.related.get(name, USUAL.get(name))
        if declared is not None:
            return declared if declared.parent == parent else None
        key = self.key(parent)
        if name in self.tables and key in self.tables[name]().columns:
            return Relation(table=name, parent=parent, on={key: key})
        return None


def open_catalog(backend: Any, settings: AudienceSettings | None = None) -> Catalog:
    """Give what `session.ibis()` sees."""
    names = backend.list_tables()
    return Catalog({name: _opener(backend, name) for name in names}, settings or AudienceSettings())


def unbound_catalog(schemas: Mapping[str, pa.Schema], settings: AudienceSettings | None = None) -> Catalog:
    """Give tables without rows or engine, to render an audience in another engine's SQL."""
    tables = {name: ibis.table(ibis.Schema.from_pyarrow(schema), name=name) for name, schema in schemas.items()}
    return Catalog({name: _given(table) for name, table in tables.items()}, settings or AudienceSettings())


def related_rows(name: str, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give a related table's rows with `_whose`; raises DefinitionError where it is not related to the parent."""
    relation = catalog.relation(name, scope.parent)
    table_name = (relation.table or name) if relation is not None else name
    if relation is None or table_name not in catalog.tables:
        known = {*catalog.tables, *catalog.settings.related}
        why = (
            f"has no table '{name}'"
            if table_name not in catalog.tables
            else f"does not relate '{name}' to {scope.parent}"
        )
        subject = "the lake" if table_name not in catalog.tables else "audience.related"
        raise refusal(scope, place, f"{subject} {why}", hint=_mend(name, table_name, catalog, known))
    table = catalog.tables[table_name]()
    if relation.through:
        owners = related_rows(relation.through, catalog, scope, place)
        columns = relation.on or {}
        return _join(table, owners, columns, WHOSE)
    key = catalog.key(scope.parent)
    columns = relation.on or {key: key}
    if columns == dict.fromkeys(columns, key) and len(columns) == 1:
        (column,) = columns
        return table.filter(table[column].notnull()).mutate(**{WHOSE: table[column]})
    return _join(table, catalog.tables[scope.parent](), columns, key)


def _join(table: Any, owners: Any, columns: Mapping[str, str], key: str) -> Any:
    """Join rows to their owners, and keep of the owner only the key."""
    kept = owners.select(
        **{WHOSE: owners[key], **{f"_on_{place}": owners[name] for place, name in enumerate(columns.values())}}
    )
    matches = [table[column] == kept[f"_on_{place}"] for place, column in enumerate(columns)]
    return table.inner_join(kept, matches).select(*table.columns, WHOSE)


def _mend(name: str, table_name: str, catalog: Catalog, known: Any) -> str:
    if table_name in catalog.tables:
        return f"Declare audience.related.{name} in catchment.yml with `on:` and its columns."
    return near(name, known)


def _opener(backend: Any, name: str) -> Callable[[], Any]:
    return lambda: backend.table(name)


def _given(table: Any) -> Callable[[], Any]:
    return lambda: table
