"""What every adapter offers: the payloads of one protocol, parted into events of tracker parameters."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qsl

import orjson

from catchment.plugin import Plugin
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

PROTOCOL = "tracker_protocol_violations"
ADAPTER = "adapter_failures"
"""Kinds of failure are named as Snowplow names its bad rows."""

SOURCE_HEADER = "catchment-source: "
"""Before the name of the source whose write key a request carried, in the headers of its payload."""

_UNSTRUCT_EVENT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
_CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-1"


class Unreadable(Exception):
    """A payload, or one of its events, is not what its path promises; nothing of it is judged further."""

    def __init__(self, kind: str, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message)
        self.kind = kind
        self.faults = list(faults)


class Part(NamedTuple):
    """One event of a payload: its tracker parameters, or why they are none."""

    parameters: dict[str, Any]
    unreadable: Unreadable | None = None


class Example(NamedTuple):
    """A request of the protocol, and what becomes of it: columns of each event, or the type of the failed one."""

    request: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]] = ()
    failed: Sequence[str] = ()


class Adapter(Plugin):
    """One protocol that arrives at the collector."""

    examples: ClassVar[Sequence[Example]] = ()
    """Run through the whole pipeline by the conformance suite, for every adapter that is found."""

    def accepts(self, path: str) -> bool:
        """Say whether payloads of this path are of this protocol."""
        raise NotImplementedError

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        """Part a payload (a row of `tables.PAYLOADS`) into events; raises Unreadable where that is not possible."""
        raise NotImplementedError

    def part_again(self, kept: dict[str, Any], index: int, payload: dict[str, Any], resolver: Resolver) -> Part:
        """Read one event that `part` refused as it was kept, when it is replayed; `index` is its place in the batch."""
        return Part(kept, refuse("not_replayable", "This protocol cannot read one event of a batch alone."))


def read_query(payload: Mapping[str, Any]) -> dict[str, str]:
    """Give the parameters of the query string; of one that comes twice the last counts."""
    return dict(parse_qsl(payload["querystring"] or "", keep_blank_values=True))


def read_media_type(payload: Mapping[str, Any]) -> str:
    """Give the content type without its parameters."""
    return str(payload["content_type"] or "").partition(";")[0].strip()


def read_json(body: bytes | None, kind: str = ADAPTER) -> Any:
    """Read a body that has to be JSON; raises Unreadable where it is none."""
    try:
        return orjson.loads(body or b"")
    except orjson.JSONDecodeError as error:
        raise Unreadable(kind, [Fault("not_json", f"The body is not JSON: {error}.")]) from error


def refuse(code: str, message: str, *, path: str | None = None) -> Unreadable:
    """Give the error for a payload, or one event of it, that an adapter cannot turn into tracker parameters."""
    return Unreadable(ADAPTER, [Fault(code, message, path=path)])


def describe_event(schema: str, data: Any) -> dict[str, str]:
    """Give the parameters of a self-describing event; raises Unreadable where its data cannot be written."""
    return {"e": "ue", "ue_pr": _write({"schema": _UNSTRUCT_EVENT, "data": {"schema": schema, "data": data}})}


def wrap_entities(items: Sequence[Any]) -> dict[str, str]:
    """Give the parameter of an event's entities, each self-describing; raises Unreadable as for an event."""
    return {"co": _write({"schema": _CONTEXTS, "data": items})} if items else {}


def _write(content: Any) -> str:
    try:
        return orjson.dumps(content).decode()
    except orjson.JSONEncodeError as error:
        raise refuse("too_deep", f"The JSON cannot be kept: {error}.") from error
