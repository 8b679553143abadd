"""JSON Schemas become Arrow columns, one for each schema and model, by the mapping of Snowplow's lake loader.

Everything is nullable. Integers are int64 whatever their bounds, so that a wider bound in a later version breaks
nothing. Versions of one model are folded oldest first: new fields are appended; a version whose field has another type
gets a column of its own, `<column>_recovered_<version>`, so that data already stored keeps its type.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from catchment.event import TIMESTAMP
from catchment.schema.key import SchemaKey
from catchment.schema.limits import pointed

ENTITY, EVENT = "contexts", "unstruct_event"
"""Prefixes of the columns of entities (a list of structs) and of self-describing events (a struct)."""

_LONG = range(-(2**63), 2**63)
_DECIMAL_DIGITS = (9, 18, 38)


class Column(NamedTuple):
    """Where data of one schema version is stored; `cast` raises ValueError for a value that the type cannot hold.

    `restore` gives back the JSON that a stored value came from, but for what is null.
    """

    suffix: str
    type: pa.DataType
    cast: Callable[[Any], Any]
    restore: Callable[[Any], Any]


@dataclass(frozen=True)
class _Scalar:
    type: pa.DataType
    cast: Callable[[Any], Any]
    meaning: str


@dataclass(frozen=True)
class _List:
    item: "_Node"


@dataclass(frozen=True)
class _Struct:
    fields: Mapping[str, "_Node"]
    keys: Mapping[str, tuple[str, ...]]


_Node = _Scalar | _List | _Struct
_References = frozenset[str]
"""The references that are being followed."""


class _Breaking(ValueError):
    """Two versions give one field two types."""


def column_name(prefix: str, key: SchemaKey, suffix: str = "") -> str:
    """Give the name of the column for one schema and model, such as `contexts_com_acme_user_1`."""
    vendor = re.sub(r"[^a-z0-9_]", "_", key.vendor.lower())
    return f"{prefix}_{vendor}_{snake_case(key.name)}_{key.version.model}{suffix}"


def snake_case(name: str) -> str:
    """Turn a JSON key into a column's name: `targetUrl` is `target_url`, `2nd` is `_2nd`."""
    parted = re.sub(r"([^A-Z_])([A-Z])", r"\1_\2", re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name))
    clean = re.sub(r"[^a-z0-9_]", "_", parted.lower())
    return f"_{clean}" if clean[:1].isdigit() or not clean else clean


def merge_versions(schemas: Mapping[SchemaKey, dict[str, Any]]) -> dict[SchemaKey, Column]:
    """Fold the versions of one model, oldest first, into the columns that hold their data."""
    merged: _Node | None = None
    apart: dict[SchemaKey, Column] = {}
    for key in sorted(schemas):
        node = _node(schemas[key], schemas[key], frozenset()) or _JSON
        try:
            merged = node if merged is None else _merge(merged, node)
        except _Breaking:
            suffix = f"_recovered_{str(key.version).replace('-', '_')}"
            apart[key] = Column(suffix, _type(node), _cast(node), _restore(node))
    if merged is None:
        return apart
    shared = Column("", _type(merged), _cast(merged), _restore(merged))
    return {key: apart.get(key, shared) for key in schemas}


def _node(schema: Any, root: dict[str, Any], opened: _References) -> _Node | None:
    """Map one schema; None where nothing may ever stand there."""
    if not isinstance(schema, dict):
        return _JSON
    reference = schema.get("$ref")
    if isinstance(reference, str):
        # What holds itself has no end; where it comes again it is text.
        return _JSON if reference in opened else _node(pointed(reference, root), root, opened | {reference})
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared or ())
    types.discard("null")
    if not types:
        return _untyped(schema, root, opened)
    if types == {"object"}:
        return _object(schema, root, opened)
    if types == {"array"}:
        items = schema.get("items")
        node = _node(items, root, opened) if isinstance(items, dict) else _JSON
        return _List(node or _JSON)
    if types == {"string"}:
        return {"date-time": _TIMESTAMP, "date": _DATE}.get(str(schema.get("format")), _STRING)
    if types == {"boolean"}:
        return _BOOLEAN
    if types == {"integer"}:
        return _integer(schema)
    return _number(schema) if types <= {"number", "integer"} else _JSON


def _object(schema: dict[str, Any], root: dict[str, Any], opened: _References) -> _Node | None:
    properties = schema.get("properties")
    if not properties:
        return None if schema.get("additionalProperties") is False else _JSON
    fields: dict[str, _Node] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for key in sorted(properties, key=snake_case):
        node, name = _node(properties[key], root, opened), snake_case(key)
        if node is None:
            continue
        if name in fields:
            node = _alternatives([fields[name], node])
        fields[name] = node
        keys[name] = (*keys.get(name, ()), key)
    return _Struct(fields, keys) if fields else None


def _untyped(schema: dict[str, Any], root: dict[str, Any], opened: _References) -> _Node:
    for keyword in ("oneOf", "anyOf"):
        if isinstance(schema.get(keyword), list):
            choices = [choice for choice in schema[keyword] if choice != {"type": "null"}]
            return _alternatives([_node(choice, root, opened) or _JSON for choice in choices])
    values = [value for value in schema.get("enum", ()) if value is not None]
    if values and all(isinstance(value, str) for value in values):
        return _STRING
    if values and all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        return _INTEGER
    if "properties" in schema:
        return _object(schema, root, opened) or _JSON
    return _JSON


def _alternatives(nodes: list[_Node]) -> _Node:
    merged = nodes[0] if nodes else _JSON
    try:
        for node in nodes[1:]:
            merged = _merge(merged, node)
    except _Breaking:
        return _JSON
    return merged


def _integer(schema: dict[str, Any]) -> _Node:
    bounds = [schema.get("minimum"), schema.get("maximum")]
    if any(bound is None or int(bound) in _LONG for bound in bounds):
        return _INTEGER
    return _decimal(bounds, scale=0)


def _number(schema: dict[str, Any]) -> _Node:
    step, bounds = schema.get("multipleOf"), [schema.get("minimum"), schema.get("maximum")]
    if step is None:
        return _DOUBLE
    if float(step).is_integer():
        return _integer(schema)
    if None in bounds:
        return _DOUBLE
    return _decimal(bounds, scale=-int(Decimal(str(step)).normalize().as_tuple().exponent))


def _decimal(bounds: list[Any], *, scale: int) -> _Node:
    digits = max(len(str(abs(int(bound)))) for bound in bounds) + scale
    precision = next((known for known in _DECIMAL_DIGITS if digits <= known), None)
    if precision is None:
        return _DOUBLE
    return _Scalar(pa.decimal128(precision, scale), partial(_to_decimal, scale=scale), f"decimal({precision},{scale})")


def _merge(old: _Node, new: _Node) -> _Node:
    if isinstance(old, _Scalar) and isinstance(new, _Scalar) and old.meaning == new.meaning:
        return old
    if isinstance(old, _List) and isinstance(new, _List):
        return _List(_merge(old.item, new.item))
    if isinstance(old, _Struct) and isinstance(new, _Struct):
        fields, keys = dict(old.fields), dict(old.keys)
        for name, node in new.fields.items():
            fields[name] = _merge(fields[name], node) if name in fields else node
            keys[name] = tuple(dict.fromkeys((*keys.get(name, ()), *new.keys[name])))
        return _Struct(fields, keys)
    raise _Breaking


def _type(node: _Node) -> pa.DataType:
    if isinstance(node, _Scalar):
        return node.type
    if isinstance(node, _List):
        return pa.list_(_type(node.item))
    return pa.struct([pa.field(name, _type(field)) for name, field in node.fields.items()])


def _cast(node: _Node) -> Callable[[Any], Any]:
    if isinstance(node, _Scalar):
        return partial(_cast_scalar, cast=node.cast)
    if isinstance(node, _List):
        return partial(_cast_list, item=_cast(node.item))
    fields = [(name, node.keys[name], _cast(field)) for name, field in node.fields.items()]
    return partial(_cast_struct, fields=fields)


def _restore(node: _Node) -> Callable[[Any], Any]:
    if isinstance(node, _Scalar):
        return orjson.loads if node.meaning == "json" else restore_plain
    if isinstance(node, _List):
        item = _restore(node.item)
        return lambda values: [None if value is None else item(value) for value in values]
    fields = {name: (node.keys[name][0], _restore(field)) for name, field in node.fields.items()}
    return partial(_restore_struct, fields=fields)


def _restore_struct(value: dict[str, Any], *, fields: Mapping[str, tuple[str, Callable[[Any], Any]]]) -> dict[str, Any]:
    told = ((fields.get(name, (name, restore_plain)), item) for name, item in value.items() if item is not None)
    return {key: restore(item) for (key, restore), item in told}


def restore_plain(value: Any) -> Any:
    """Give the JSON of a stored value of which only its type is known."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: restore_plain(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [restore_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _cast_scalar(value: Any, *, cast: Callable[[Any], Any]) -> Any:
    return None if value is None else cast(value)


def _cast_list(value: Any, *, item: Callable[[Any], Any]) -> Any:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("an array was expected")
    return [item(part) for part in value]


def _cast_struct(value: Any, *, fields: list[tuple[str, tuple[str, ...], Callable[[Any], Any]]]) -> Any:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("an object was expected")
    return {name: cast(next((value[key] for key in keys if key in value), None)) for name, keys, cast in fields}


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a string was expected")
    return value


def _to_json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _to_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false was expected")
    return value


def _to_integer(value: Any) -> int:
    number = int(_to_double(value)) if isinstance(value, float) and value.is_integer() else value
    if isinstance(number, bool) or not isinstance(number, int) or number not in _LONG:
        raise ValueError("an integer of 64 bits was expected")
    return number


def _to_double(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number was expected")
    return float(value)


def _to_decimal(value: Any, *, scale: int) -> Decimal:
    try:
        return Decimal(str(_to_double(value) if isinstance(value, float) else value)).quantize(
            Decimal(1).scaleb(-scale)
        )
    except InvalidOperation as error:
        raise ValueError("a decimal number was expected") from error


def _to_tstamp(value: Any) -> datetime:
    moment = datetime.fromisoformat(_to_text(value).upper())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _to_date(value: Any) -> date:
    return date.fromisoformat(_to_text(value))


_STRING = _Scalar(pa.string(), _to_text, "text")
_JSON = _Scalar(pa.string(), _to_json, "json")
_BOOLEAN = _Scalar(pa.bool_(), _to_boolean, "boolean")
_INTEGER = _Scalar(pa.int64(), _to_integer, "integer")
_DOUBLE = _Scalar(pa.float64(), _to_double, "double")
_TIMESTAMP = _Scalar(TIMESTAMP, _to_tstamp, "timestamp")
_DATE = _Scalar(pa.date32(), _to_date, "date")
