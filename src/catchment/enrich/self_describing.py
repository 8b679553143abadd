"""The JSON parameters of an event: judged by their schemas, and stored in one typed column per schema and model."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from catchment.schema.arrow import ENTITY, EVENT, column_name
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

_VENDOR = "com.snowplowanalytics.snowplow"
_WRAPPERS = {ENTITY: (_VENDOR, "contexts"), EVENT: (_VENDOR, "unstruct_event")}
_PARAMETERS = {ENTITY: (("co", False), ("cx", True)), EVENT: (("ue_pr", False), ("ue_px", True))}


class _Invalid(Exception):
    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message)
        self.faults = list(faults)


class _Value(NamedTuple):
    name: str
    type: pa.DataType
    value: Any


class SelfDescribing:
    """The typed columns of a batch while they fill, and the schema of each self-describing event."""

    def __init__(self, resolver: Resolver, size: int) -> None:
        self._resolver = resolver
        self._size = size
        self._columns: dict[str, tuple[pa.DataType, list[Any]]] = {}
        self.event_keys: list[SchemaKey | None] = [None] * size

    def read(self, position: int, parameters: dict[str, Any]) -> list[Fault]:
        """Take in the JSON of one event; give what is wrong with it, in all its parts."""
        faults: list[Fault] = []
        for prefix in (EVENT, ENTITY):
            try:
                wrapped = self._unwrap(prefix, parameters)
            except _Invalid as invalid:
                faults.extend(invalid.faults)
                continue
            for item in wrapped:
                faults.extend(self._keep(prefix, position, item))
        if parameters.get("e") == "ue" and not faults and self.event_keys[position] is None:
            faults.append(Fault("invalid_parameter", "ue_pr/ue_px: a self-describing event was expected."))
        return faults

    def columns(self) -> dict[str, pa.Array]:
        """Give the columns by name; every one holds something."""
        return {name: pa.array(values, type_) for name, (type_, values) in sorted(self._columns.items())}

    def _unwrap(self, prefix: str, parameters: dict[str, Any]) -> list[Any]:
        for name, is_base64 in _PARAMETERS[prefix]:
            text = parameters.get(name)
            if not text:
                continue
            content = _load(name, text, is_base64=is_base64)
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
        return []

    def _keep(self, prefix: str, position: int, item: Any) -> Iterator[Fault]:
        uri = item.get("schema") if isinstance(item, dict) else None
        key = SchemaKey.parse(uri) if isinstance(uri, str) else None
        if key is None:
            yield Fault(
                "not_self_describing", f"{prefix}: each item needs a 'schema' that is an Iglu URI.", path=prefix
            )
            return
        data = item.get("data")
        faults = self._resolver.validate(key, data)
        yield from faults
        if faults:
            return
        try:
            value = self._cast(prefix, key, data)
        except ValueError as error:
            yield Fault("uncastable", f"The data is valid but fits no column: {error}.", schema=str(key))
            return
        _, values = self._columns.setdefault(value.name, (value.type, [None] * self._size))
        if prefix == EVENT:
            values[position] = value.value
            self.event_keys[position] = key
        else:
            values[position] = [*(values[position] or ()), value.value]

    def _cast(self, prefix: str, key: SchemaKey, data: Any) -> _Value:
        column = self._resolver.column(key)
        if column is None:
            raise ValueError("no registry has its schema any more")
        name = column_name(prefix, key, column.suffix)
        type_ = pa.list_(column.type) if prefix == ENTITY else column.type
        return _Value(name, type_, column.cast(data))


def _load(name: str, text: str, *, is_base64: bool) -> Any:
    try:
        return orjson.loads(_decode(text) if is_base64 else text)
    except orjson.JSONDecodeError as error:
        raise _Invalid([Fault("not_json", f"{name}: not JSON ({error}).", path=name)]) from error
    except (binascii.Error, ValueError) as error:
        raise _Invalid([Fault("not_base64", f"{name}: not base64 ({error}).", path=name)]) from error


def _decode(text: str) -> bytes:
    """Decode base64 of either alphabet, padded or not: trackers differ."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
