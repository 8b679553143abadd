"""Snowplow's tracker protocol v2: batches by POST, single events by GET."""

from collections.abc import Sequence
from typing import Any, ClassVar

from catchment.enrich.adapter import (
    PROTOCOL,
    Adapter,
    Example,
    Part,
    Unreadable,
    read_json,
    read_media_type,
    read_query,
)
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

PIXELS = ("/i", "/ice.png")
TP2 = "/com.snowplowanalytics.snowplow/tp2"
NEWEST = SchemaKey("com.snowplowanalytics.snowplow", "payload_data", "jsonschema", SchemaVer(1, 0, 4))


class Snowplow(Adapter):
    """Snowplow's tracker protocol v2: batches by POST, single events by GET."""

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {"path": "/i", "querystring": "e=pv&p=web&tv=js-4.6.8&page=Pricing&cv=ours&aid=site"},
            [{"event_name": "page_view", "page_title": "Pricing", "v_collector": "ours", "app_id": "site"}],
        ),
        Example(
            {"path": "/ice.png", "querystring": "e=se&p=web&tv=old&ev_ca=cart&ev_ac=add&ev_va=1.5"},
            [{"event": "struct", "se_category": "cart", "se_action": "add", "se_value": 1.5}],
        ),
        Example(
            {
                "path": TP2,
                "querystring": "aid=query",
                "content_type": "application/json; charset=utf-8",
                "body": b'{"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": ['
                b'{"e": "pv", "p": "web", "tv": "js", "aid": "body"}, {"e": "pv", "p": "web"}]}',
            },
            [{"event_name": "page_view", "app_id": "query"}],
            [PROTOCOL],
        ),
        Example({"path": TP2, "content_type": "text/plain", "body": b"{}"}, failed=[PROTOCOL]),
        Example({"path": "/i"}, failed=[PROTOCOL]),
    )

    def accepts(self, path: str) -> bool:
        return path in PIXELS or path == TP2

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        query = read_query(payload)
        if payload["body"] is None:
            if not query:
                raise Unreadable(PROTOCOL, [Fault("no_parameters", "The payload has neither body nor query string.")])
            return [Part(query)]
        _require_json(read_media_type(payload))
        key, items = _open_envelope(payload["body"])
        if not resolver.validate(key, items):
            return [Part({**item, **query}) for item in items] if query else [Part(item) for item in items]
        return [_judge(item, query, key, resolver) for item in items]

    def part_again(self, kept: dict[str, Any], index: int, payload: dict[str, Any], resolver: Resolver) -> Part:
        return _judge(kept, read_query(payload), NEWEST, resolver)


def _judge(item: Any, query: dict[str, str], key: SchemaKey, resolver: Resolver) -> Part:
    """Judge one event of a batch that is not all valid, so that its neighbours do not fail with it."""
    faults = resolver.validate(key, [item])
    parameters = item if isinstance(item, dict) else {"item": item}
    return Part(parameters, Unreadable(PROTOCOL, faults)) if faults else Part({**item, **query})


def _require_json(media_type: str) -> None:
    if media_type != "application/json":
        message = "The body's content type is not application/json."
        raise Unreadable(PROTOCOL, [Fault("content_type", message)])


def _open_envelope(body: bytes) -> tuple[SchemaKey, list[Any]]:
    envelope = read_json(body, PROTOCOL)
    uri = envelope.get("schema") if isinstance(envelope, dict) else None
    key = SchemaKey.parse(uri) if isinstance(uri, str) else None
    if key is None or key[:3] != NEWEST[:3] or key.version[:2] != (1, 0):
        message = "The body is no self-describing JSON of payload_data 1-0-*."
        raise Unreadable(PROTOCOL, [Fault("envelope", message, path="$.schema")])
    items = envelope.get("data")
    if not isinstance(items, list) or not items:
        raise Unreadable(PROTOCOL, [Fault("envelope", "The batch holds no events.", path="$.data")])
    return min(key, NEWEST), items
