"""Snowplow's tracker protocol v2: batches by POST, single events by GET."""

from typing import Any
from urllib.parse import parse_qsl

import orjson

from catchment.enrich.adapter import PROTOCOL, Adapter, Part, Unreadable
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

PIXELS = ("/i", "/ice.png")
TP2 = "/com.snowplowanalytics.snowplow/tp2"
NEWEST = SchemaKey("com.snowplowanalytics.snowplow", "payload_data", "jsonschema", SchemaVer(1, 0, 4))


class Snowplow(Adapter):
    """Snowplow's tracker protocol v2: batches by POST, single events by GET."""

    def accepts(self, path: str) -> bool:
        return path in PIXELS or path == TP2

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        query = dict(parse_qsl(payload["querystring"] or "", keep_blank_values=True))
        if payload["body"] is None:
            if not query:
                raise Unreadable(PROTOCOL, [Fault("no_parameters", "The payload has neither body nor query string.")])
            return [Part(query)]
        _require_json(payload["content_type"])
        key, items = _open_envelope(payload["body"])
        if not resolver.validate(key, items):
            return [Part({**item, **query}) for item in items]
        return [_judge(item, query, key, resolver) for item in items]


def _judge(item: Any, query: dict[str, str], key: SchemaKey, resolver: Resolver) -> Part:
    """Judge one event of a batch that is not all valid, so that its neighbours do not fail with it."""
    faults = resolver.validate(key, [item])
    parameters = item if isinstance(item, dict) else {"item": item}
    return Part(parameters, Unreadable(PROTOCOL, faults)) if faults else Part({**item, **query})


def _require_json(content_type: str | None) -> None:
    if (content_type or "").partition(";")[0].strip() != "application/json":
        message = "The body's content type is not application/json."
        raise Unreadable(PROTOCOL, [Fault("content_type", message)])


def _open_envelope(body: bytes) -> tuple[SchemaKey, list[Any]]:
    try:
        envelope = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(PROTOCOL, [Fault("not_json", f"The body is not JSON: {error}.")]) from error
    uri = envelope.get("schema") if isinstance(envelope, dict) else None
    key = SchemaKey.parse(uri) if isinstance(uri, str) else None
    if key is None or key[:3] != NEWEST[:3] or key.version[:2] != (1, 0):
        message = "The body is no self-describing JSON of payload_data 1-0-*."
        raise Unreadable(PROTOCOL, [Fault("envelope", message, path="$.schema")])
    items = envelope.get("data")
    if not isinstance(items, list) or not items:
        raise Unreadable(PROTOCOL, [Fault("envelope", "The batch holds no events.", path="$.data")])
    return min(key, NEWEST), items
