"""Events become lines of Snowplow's enriched TSV, so that what reads those can read these.

131 columns in Snowplow's order, no header, no quotes; empty is null; booleans are 0 and 1; moments are cut to
milliseconds; a tab in a text becomes four spaces and other control characters go, as Snowplow does it.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import DefinitionError
from catchment.event import COLUMNS, JSON_COLUMNS, TIMESTAMP
from catchment.schema.arrow import ENTITY, EVENT, column_name, restore_plain
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver

_WRAPPER = "iglu:com.snowplowanalytics.snowplow/{}/jsonschema/{}"
_CONTEXTS, _UNSTRUCT = _WRAPPER.format("contexts", "1-0-1"), _WRAPPER.format("unstruct_event", "1-0-0")
_CONTROL = "[\\x00-\\x1f\\x7f]"


class Home(NamedTuple):
    """The schema of a typed column, and what gives back the JSON of its values."""

    key: SchemaKey
    restore: Callable[[Any], Any]


def find_homes(columns: Iterable[str], keys: Iterable[SchemaKey], resolver: Resolver) -> dict[str, Home]:
    """Say which schema each typed column is of; raises DefinitionError naming those that none of `keys` has."""
    homes: dict[str, Home] = {}
    for key in sorted(keys):
        column = resolver.column(key)
        suffix, restore = ("", restore_plain) if column is None else (column.suffix, column.restore)
        homes.update({column_name(prefix, key, suffix): Home(key, restore) for prefix in (ENTITY, EVENT)})
    typed = [name for name in columns if name.startswith((f"{ENTITY}_", f"{EVENT}_"))]
    unknown = [name for name in typed if name not in homes]
    if unknown:
        raise DefinitionError(
            f"Nothing says which schema these columns are of: {', '.join(unknown)}.",
            hint="Name it with --schema iglu:VENDOR/NAME/jsonschema/1-0-0, once for each.",
        )
    return {name: homes[name] for name in typed}


def format_events(events: pa.Table, homes: Mapping[str, Home], derived: frozenset[str]) -> list[str]:
    """Give one line, without its end, for each event; entities of the columns in `derived` are derived ones."""
    names = set(events.column_names)
    entities = [name for name in homes if name.startswith(f"{ENTITY}_") and name in names]
    texts = {
        "contexts": _entities(events, homes, [name for name in entities if name not in derived]),
        "derived_contexts": _entities(events, homes, [name for name in entities if name in derived]),
        "unstruct_event": _self_describing(events, homes),
    }
    empty = [""] * events.num_rows
    for column in COLUMNS:
        if column.name not in JSON_COLUMNS:
            texts[column.name] = _texts(events[column.name]) if column.name in names else empty
    columns = [texts[column.name] for column in COLUMNS]
    return ["\t".join(row) for row in zip(*columns, strict=True)]


def _texts(values: pa.ChunkedArray) -> list[str]:
    if values.null_count == len(values):
        return [""] * len(values)
    if pa.types.is_floating(values.type):
        return ["" if value is None else format(Decimal(repr(value)), "f") for value in values.to_pylist()]
    texts: list[str] = pc.fill_null(_written(values), "").to_pylist()
    return texts


def _written(values: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = values.type
    if pa.types.is_timestamp(type_):
        moments = pc.cast(pc.floor_temporal(values, unit="millisecond"), pa.timestamp("ms", TIMESTAMP.tz))
        return pc.strftime(moments, "%Y-%m-%d %H:%M:%S")
    if pa.types.is_boolean(type_):
        return pc.if_else(values, "1", "0")
    if pa.types.is_string(type_) or pa.types.is_large_string(type_):
        return pc.replace_substring_regex(pc.replace_substring(values, "\t", "    "), _CONTROL, "")
    return pc.cast(values, pa.string())


def _entities(events: pa.Table, homes: Mapping[str, Home], names: list[str]) -> list[str]:
    rows: list[list[Any]] = [[] for _ in range(events.num_rows)]
    for name in names:
        uri, restore = str(homes[name].key), homes[name].restore
        for row, values in zip(rows, events[name].to_pylist(), strict=True):
            row.extend({"schema": uri, "data": restore(value)} for value in values or () if value is not None)
    return [orjson.dumps({"schema": _CONTEXTS, "data": row}).decode() if row else "" for row in rows]


def _self_describing(events: pa.Table, homes: Mapping[str, Home]) -> list[str]:
    texts = [""] * events.num_rows
    told = [events[name].to_pylist() for name in ("event_vendor", "event_name", "event_format", "event_version")]
    uris = ["iglu:" + "/".join(str(part) for part in parts) for parts in zip(*told, strict=True)]
    for name, home in homes.items():
        if not name.startswith(f"{EVENT}_") or name not in events.column_names:
            continue
        for position, value in enumerate(events[name].to_pylist()):
            if value is not None:
                named = SchemaKey.parse(uris[position])
                uri = str(named if named is not None and named.family == home.key.family else home.key)
                content = {"schema": _UNSTRUCT, "data": {"schema": uri, "data": home.restore(value)}}
                texts[position] = orjson.dumps(content).decode()
    return texts
