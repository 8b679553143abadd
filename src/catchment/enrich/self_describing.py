"""The JSON parameters of an event: judged by their schemas, and stored in one typed column per schema and model."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from catchment.schema.arrow import ENTITY, EVENT, Column, column_name
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

_VENDOR = "com.snowplowanalytics.snowplow"
_WRAPPERS = {ENTITY: (_VENDOR, "contexts"), EVENT: (_VENDOR, "unstruct_event")}

_NAMES = {EVENT: ("ue_pr", "ue_px"), ENTITY: ("co", "cx")}
"""The parameters that carry them: as JSON, and as base64 of JSON; the former is read where both are sent."""
VALIDATION_INFO = SchemaKey("com.snowplowanalytics.iglu", "validation_info", "jsonschema", SchemaVer(1, 0, 0))
"""The entity that says that data was judged by a newer version than it names."""
_ALPHABET = bytes.maketrans(b" -_", b"++/")


class _Invalid(Exception):
    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message)
        self.faults = list(faults)


class _Value(NamedTuple):
    name: str
    type: pa.DataType
    value: Any


class _Column(NamedTuple):
    """A column while it fills: its distinct values, and by event which of them it has."""

    type: pa.DataType
    values: list[Any]
    indices: list[int | None]


class _Read(NamedTuple):
    """What one JSON parameter says: its places in columns, or what is wrong with it."""

    places: list[tuple[str, int]]
    key: SchemaKey | None
    faults: list[Fault]
    superseded: Sequence[tuple[SchemaKey, SchemaKey]] = ()


class SelfDescribing:
    """The typed columns of a batch while they fill, and the schema of each self-describing event.

    A text that many events carry, as all pings of one page do, is decoded, judged and cast once.
    """

    def __init__(self, resolver: Resolver, size: int) -> None:
        self._resolver = resolver
        self._size = size
        self._columns: dict[str, _Column] = {}
        self._known: dict[tuple[str, str], _Read] = {}
        self._homes: dict[tuple[str, SchemaKey], tuple[str, Column]] = {}
        self._judges: dict[SchemaKey, SchemaKey] = {}
        self.event_keys: list[SchemaKey | None] = [None] * size

    def read(self, position: int, parameters: dict[str, Any]) -> list[Fault]:
        """Take in the JSON of one event; give what is wrong with it, in all its parts."""
        faults: list[Fault] = []
        superseded: list[tuple[SchemaKey, SchemaKey]] = []
        for prefix in (EVENT, ENTITY):
            plain, coded = _NAMES[prefix]
            name = plain if parameters.get(plain) else coded
            text = parameters.get(name)
            if not text:
                continue
            known = self._known.get((name, text))
            if known is None:
                known = self._known[name, text] = self._read_text(prefix, name, text)
            faults.extend(known.faults)
            superseded.extend(known.superseded)
            for column, index in known.places:
                self._columns[column].indices[position] = index
            self.event_keys[position] = self.event_keys[position] or known.key
        if parameters.get("e") == "ue" and not faults and self.event_keys[position] is None:
            faults.append(Fault("invalid_parameter", "ue_pr/ue_px: a self-describing event was expected."))
        if superseded:
            self._tell(position, superseded)
        return faults

    def _tell(self, position: int, superseded: Sequence[tuple[SchemaKey, SchemaKey]]) -> None:
        """Add to an event the entities that say which of its data was judged by another version than it names."""
        named = [{"originalSchema": str(old), "validatedWith": str(new.version)} for old, new in superseded]
        told = [self._cast(ENTITY, VALIDATION_INFO, each) for each in named]
        column = self._columns.setdefault(told[0].name, _Column(told[0].type, [], [None] * self._size))
        index = column.indices[position]
        sent = [] if index is None else column.values[index]
        column.values.append([*sent, *(value.value for value in told)])
        column.indices[position] = len(column.values) - 1

    def columns(self) -> dict[str, pa.Array]:
        """Give the columns by name; every one holds something."""
        return {
            name: pa.array(column.values, column.type).take(pa.array(column.indices, pa.int32()))
            for name, column in sorted(self._columns.items())
        }

    def _read_text(self, prefix: str, name: str, text: str) -> _Read:
        try:
            items = _unwrap(prefix, name, text)
        except _Invalid as invalid:
            return _Read([], None, invalid.faults)
        faults: list[Fault] = []
        found: dict[str, Any] = {}
        superseded: list[tuple[SchemaKey, SchemaKey]] = []
        key = None
        for item in items:
            try:
                named, key, value = self._judge(prefix, item)
            except _Invalid as invalid:
                faults.extend(invalid.faults)
                continue
            if named != key:
                superseded.append((named, key))
            self._columns.setdefault(value.name, _Column(value.type, [], [None] * self._size))
            found[value.name] = value.value if prefix == EVENT else [*found.get(value.name, ()), value.value]
        return _Read([self._add(column, value) for column, value in found.items()], key, faults, superseded)

    def _add(self, name: str, value: Any) -> tuple[str, int]:
        values = self._columns[name].values
        values.append(value)
        return name, len(values) - 1

    def _judge(self, prefix: str, item: Any) -> tuple[SchemaKey, SchemaKey, _Value]:
        """Give the schema that an item names, the one that judges it, and its value."""
        uri = item.get("schema") if isinstance(item, dict) else None
        named = SchemaKey.parse(uri) if isinstance(uri, str) else None
        if named is None or set(item) != {"schema", "data"}:
            message = f"{prefix}: each item needs a 'schema' that is an Iglu URI, and 'data', and nothing else."
            raise _Invalid([Fault("not_self_describing", message, path=prefix)])
        data = item.get("data")
        key = self._judges.get(named)
        if key is None:
            key = self._judges[named] = self._resolver.superseding(named)
        faults = self._resolver.validate(key, data)
        if faults:
            raise _Invalid(faults)
        try:
            return named, key, self._cast(prefix, key, data)
        except (ValueError, OverflowError) as error:
            message = f"The data is valid but fits no column: {error}."
            raise _Invalid([Fault("uncastable", message, schema=str(key))]) from error

    def _cast(self, prefix: str, key: SchemaKey, data: Any) -> _Value:
        if (prefix, key) not in self._homes:
            column = self._resolver.column(key)
            if column is None:
                raise ValueError("no registry has its schema any more")
            self._homes[prefix, key] = column_name(prefix, key, column.suffix), column
        name, column = self._homes[prefix, key]
        return _Value(name, pa.list_(column.type) if prefix == ENTITY else column.type, column.cast(data))


def read_entities(parameters: dict[str, Any]) -> list[Any] | None:
    """Give the entities that an event carries as it sent them; None where their parameter is not what it should be."""
    return _read_sent(ENTITY, parameters)


def read_event(parameters: dict[str, Any]) -> Any:
    """Give the self-describing event as it was sent; None where there is none, or none that can be read."""
    return next(iter(_read_sent(EVENT, parameters) or ()), None)


def _read_sent(prefix: str, parameters: dict[str, Any]) -> list[Any] | None:
    plain, coded = _NAMES[prefix]
    name = plain if parameters.get(plain) else coded
    text = parameters.get(name)
    try:
        return _unwrap(prefix, name, text) if text else []
    except _Invalid:
        return None


def _unwrap(prefix: str, name: str, text: str) -> list[Any]:
    content = _load(name, text, is_base64=name == _NAMES[prefix][1])
    uri = content.get("schema") if isinstance(content, dict) else None
    key = SchemaKey.parse(uri) if isinstance(uri, str) else None
    if key is None or (key.vendor, key.name) != _WRAPPERS[prefix] or key.version[:2] != (1, 0):
        message = f"{name}: a self-describing JSON of {_WRAPPERS[prefix][1]} 1-0-* was expected."
        raise _Invalid([Fault("wrapper", message, path=name)])
    data = content.get("data")
    if prefix == EVENT:
        return [data]
    if not isinstance(data, list):
        raise _Invalid([Fault("wrapper", f"{name}: a list of entities was expected.", path=name)])
    return data


def _load(name: str, text: str, *, is_base64: bool) -> Any:
    try:
        return orjson.loads(_decode(text) if is_base64 else text)
    except orjson.JSONDecodeError as error:
        raise _Invalid([Fault("not_json", f"{name}: not JSON ({error}).", path=name)]) from error
    except (binascii.Error, ValueError) as error:
        raise _Invalid([Fault("not_base64", f"{name}: not base64 ({error}).", path=name)]) from error


def _decode(text: str) -> bytes:
    """Decode base64 of either alphabet, padded or not: trackers differ. A query string turns + into a space."""
    bare = text.encode().translate(_ALPHABET, b"\r\n\t").rstrip(b"=")
    return base64.b64decode(bare + b"=" * (-len(bare) % 4), validate=True)
