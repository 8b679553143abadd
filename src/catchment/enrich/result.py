"""What an enrichment gave is made to fit its events, so that none of their rows, columns or types is lost by it."""

import pyarrow as pa

from catchment.enrich.enrichment import DROP, FLAG, Columns, column
from catchment.event import ATOMIC, STRING
from catchment.schema.arrow import ENTITY, EVENT, column_name
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver

ROW = "_row"
"""Position of an event in its batch, while it is enriched."""

_TYPES = {known.name: known.type for known in ATOMIC} | {FLAG: STRING, DROP: STRING}
_OURS = "_"
"""How columns begin that stand beside an event only while it is enriched."""


class Results:
    """Takes in what enrichments give; remembers the types of columns that no schema knows, for batches to agree."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._keys: dict[str, SchemaKey | None] = {}
        self._types: dict[str, pa.DataType] = {}

    def accept(self, events: pa.Table, result: Columns | pa.Table) -> pa.Table:
        """Give the events with what the enrichment gave; raises ValueError where it is not what it may give."""
        if isinstance(result, pa.Table):
            return self._accept_table(events, result)
        for name, values in result.items():
            if len(values) != events.num_rows:
                raise ValueError(f"it gave {len(values)} values of {name} for {events.num_rows} events")
            if name.startswith(_OURS) and name not in (FLAG, DROP):
                raise ValueError(f"it gave {name}, which is not its to set")
            events = set_values(events, name, self._fit(name, values))
        return events

    def _accept_table(self, events: pa.Table, result: pa.Table) -> pa.Table:
        lacking = sorted(set(events.column_names) - set(result.column_names))
        if lacking:
            raise ValueError(f"it gave a table without {', '.join(lacking)}")
        if not result[ROW].equals(events[ROW]):
            raise ValueError("it gave other rows than it was given")
        columns: Columns = {}
        for name in result.column_names:
            is_theirs = name.startswith(_OURS) and name not in (FLAG, DROP)
            columns[name] = column(events, name) if is_theirs else self._fit(name, column(result, name))
        return pa.table(columns)

    def _fit(self, name: str, values: pa.Array) -> pa.Array:
        if name in _TYPES:
            return values if values.type == _TYPES[name] else values.cast(_TYPES[name])
        if pa.types.is_null(values.type):
            return values
        type_ = self._type_of(name, values.type)
        if values.type == type_:
            return values
        return pa.array(values.to_pylist(), type_)

    def _type_of(self, name: str, given: pa.DataType) -> pa.DataType:
        """Give the type by the column's schema; where there is none, the type in which it was given first."""
        known = self._type_by_schema(name) or self._types.get(name)
        if known is not None:
            return known
        if not _is_like(name, given):
            raise ValueError(f"it gave {name} as {given}, where objects were expected")
        if "null" not in str(given):
            self._types[name] = given
        return given

    def _type_by_schema(self, name: str) -> pa.DataType | None:
        if name not in self._keys:
            known = self._resolver.keys()
            self._keys[name] = next((key for key in reversed(known) if name in _places(key)), None)
        key = self._keys[name]
        made = None if key is None else self._resolver.column(key)
        if made is None:
            return None
        return pa.list_(made.type) if name.startswith(f"{ENTITY}_") else made.type


def set_values(events: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """Replace a column or add it; entities join those that the event has."""
    if name not in events.column_names:
        return events.append_column(name, values)
    if name.startswith(f"{ENTITY}_"):
        values = _join(column(events, name), values)
    return events.set_column(events.column_names.index(name), name, values)


def _join(sent: pa.Array, derived: pa.Array) -> pa.Array:
    if sent.null_count == len(sent) and sent.type == derived.type:
        return derived
    pairs = zip(sent.to_pylist(), derived.to_pylist(), strict=True)
    return pa.array([[*(old or ()), *(new or ())] or None for old, new in pairs], sent.type)


def _places(key: SchemaKey) -> tuple[str, str]:
    return column_name(ENTITY, key), column_name(EVENT, key)


def _is_like(name: str, type_: pa.DataType) -> bool:
    if name.startswith(f"{ENTITY}_"):
        return bool(pa.types.is_list(type_) and pa.types.is_struct(type_.value_type))
    return not name.startswith(f"{EVENT}_") or bool(pa.types.is_struct(type_))
