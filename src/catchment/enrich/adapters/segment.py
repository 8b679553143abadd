"""The Segment Spec, as the SDKs of Segment and RudderStack speak it: one call, or a batch of them, is one POST."""

import base64
import binascii
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import Field, PrivateAttr

from catchment.enrich.adapter import (
    ADAPTER,
    SOURCE_HEADER,
    Adapter,
    Example,
    Part,
    Unreadable,
    describe_event,
    read_json,
    read_query,
    refuse,
    wrap_entities,
)
from catchment.enrich.call import (
    CALLS,
    SPEC,
    Call,
    identify,
    read_columns,
    read_context,
    read_number,
    read_page,
    read_traits,
    told,
)
from catchment.enrich.failure import NAMESPACE, stable_id
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.resolver import Resolver

PATHS = {
    **{f"/v1/{call}": call for call in (*CALLS, "batch")},
    **{f"/v1/{call[0]}": call for call in (*CALLS, "batch")},  # analytics.js shortens them
    **{f"/v1/pixel/{call}": call for call in CALLS},
    **dict.fromkeys(("/v1/import", "/beacon/v1/batch"), "batch"),
}


VERSIONS_TTL_S = 10.0
"""How long it is remembered which version of a schema is the newest: a registry elsewhere is asked for it."""


class Segment(Adapter):
    """The calls of the Segment Spec: pages are page views, tracks self-describing events, traits an entity."""

    vendor: str | None = Field(
        default=None,
        description="Your vendor, such as com.acme: a track call 'Order Completed' for which there is a schema "
        "com.acme/order_completed becomes that event, its properties judged by it.",
    )

    _newest: dict[str, tuple[float, SchemaKey]] = PrivateAttr(default_factory=dict)

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {
                "path": "/v1/t",
                "content_type": "text/plain",
                "headers": ["catchment-source: shop"],
                "body": b"""{"type": "track", "event": "Order Completed", "properties": {"revenue": 9.5, "sku": "a"},
                "anonymousId": "a1", "userId": 7, "messageId": "ajs-next-1", "writeKey": "secret",
                "timestamp": "2026-03-01T11:00:00.000Z", "sentAt": "2026-03-01T11:00:30.000Z", "context": {
                "page": {"url": "https://acme.example/cart?utm_source=news", "title": "Cart", "referrer": "$direct"},
                "library": {"name": "analytics.js", "version": "next-1.84.3"}, "locale": "de-DE",
                "timezone": "Europe/Berlin", "screen": {"width": 1280, "height": 720}, "ip": "198.18.0.9"}}""",
            },
            [
                {
                    "event_name": "track",
                    "app_id": "shop",
                    "platform": "web",
                    "user_id": "7",
                    "domain_userid": "a1",
                    "event_id": str(uuid.uuid5(NAMESPACE, "segment/ajs-next-1")),
                    "derived_tstamp": datetime(2026, 3, 1, 11, 59, 30, tzinfo=UTC),
                    "page_url": "https://acme.example/cart?utm_source=news",
                    "page_referrer": None,
                    "br_lang": "de-DE",
                    "os_timezone": "Europe/Berlin",
                    "dvce_screenwidth": 1280,
                    "user_ipaddress": "198.18.0.9",
                    "v_tracker": "analytics.js-next-1.84.3",
                    "unstruct_event_com_segment_spec_track_1": {
                        "event": "Order Completed",
                        "revenue": 9.5,
                        "properties": '{"revenue":9.5,"sku":"a"}',
                    },
                }
            ],
        ),
        Example(
            {
                "path": "/v1/batch",
                "content_type": "application/json",
                "body": b"""{"sentAt": "2026-03-01T12:00:00Z", "context": {"os": {"name": "iOS"}}, "batch": [
                {"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com", "pets": 2}},
                {"type": "page", "anonymousId": "a1", "messageId": "5f0e1e0e-9d0a-4b1c-8f00-4f4f0f7a7a11",
                "name": "Home", "properties": {"url": "https://acme.example/", "theme": "dark"}},
                {"type": "group", "userId": "u1", "groupId": "g1", "traits": {"name": "Acme"}},
                {"type": "track", "userId": "u1"}, {"type": "dance", "userId": "u1"}, {"type": "page"}, 7]}""",
            },
            [
                {
                    "event_name": "identify",
                    "user_id": "u1",
                    "platform": "mob",
                    "contexts_com_segment_spec_traits_1": [{"email": "ada@example.com", "other": '{"pets":2}'}],
                },
                {
                    "event_name": "page_view",
                    "page_url": "https://acme.example/",
                    "contexts_com_segment_spec_page_1": [{"name": "Home", "properties": '{"theme":"dark"}'}],
                    "contexts_com_snowplowanalytics_snowplow_web_page_1": [
                        {"id": "5f0e1e0e-9d0a-4b1c-8f00-4f4f0f7a7a11"}
                    ],
                },
                {
                    "event_name": "group",
                    "unstruct_event_com_segment_spec_group_1": {"group_id": "g1", "traits": '{"name":"Acme"}'},
                },
            ],
            [ADAPTER] * 4,
        ),
        Example(
            {
                "path": "/v1/alias",
                "content_type": "application/json",
                "body": b'{"userId": "u2", "previousId": "u1", "timestamp": "2012-12-02T00:30:08.276Z"}',
            },
            [
                {
                    "platform": "srv",
                    "user_ipaddress": "unknown",
                    "derived_tstamp": datetime(2012, 12, 2, 0, 30, 8, 276_000, tzinfo=UTC),
                    "unstruct_event_com_segment_spec_alias_1": {"user_id": "u2", "previous_id": "u1"},
                }
            ],
        ),
        Example(
            {"path": "/v1/pixel/screen", "querystring": "data=eyJ1c2VySWQiOiAidTEiLCAibmFtZSI6ICJIb21lIn0="},
            [{"user_id": "u1", "unstruct_event_com_segment_spec_screen_1": {"name": "Home"}}],
        ),
        Example({"path": "/v1/track", "content_type": "application/json", "body": b'{"event": '}, failed=[ADAPTER]),
    )

    def accepts(self, path: str) -> bool:
        return path in PATHS

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        call = PATHS[payload["path"]]
        content = read_json(payload["body"] if payload["body"] is not None else _pixel(payload))
        if not isinstance(content, dict):
            raise refuse("not_a_call", "The body is no object.")
        messages = list(_unpack(content)) if call == "batch" else [{**content, "type": call}]
        return [self._part(index, message, payload, resolver) for index, message in enumerate(messages)]

    def part_again(self, kept: dict[str, Any], index: int, payload: dict[str, Any], resolver: Resolver) -> Part:
        return self._part(index, kept, payload, resolver)

    def _part(self, index: int, message: Any, payload: dict[str, Any], resolver: Resolver) -> Part:
        """Turn one call into tracker parameters, or say why it is none, so that its neighbours do not fail with it."""
        try:
            if not isinstance(message, dict) or message.get("type") not in CALLS:
                raise refuse("unknown_call", f"type: one of {', '.join(CALLS)} was expected.", path="type")
            message_id = message.get("messageId") or ""
            event_id = identify(str(message_id)) if message_id else stable_id(payload["payload_id"], index, "event")
            parameters = self._read(Call(message), event_id, payload, resolver)
        except Unreadable as error:
            kept = message if isinstance(message, dict) else {"message": message}
            return Part({name: value for name, value in kept.items() if name != "writeKey"}, error)
        return Part({name: value for name, value in parameters.items() if value is not None})

    def _read(self, call: Call, event_id: str, payload: dict[str, Any], resolver: Resolver) -> dict[str, Any]:
        columns = read_columns(call, payload["collector_tstamp"])
        traits = call.object("traits") if call.type in ("identify", "group") else {}
        entities = read_traits(call, traits if call.type == "identify" else {})
        event = {"e": "pv"}
        if call.type == "page":
            entities += read_page(call, columns, event_id)
        elif call.type == "track":
            event = describe_event(*self._track(call, resolver))
        else:
            event = describe_event(SPEC.format(call.type), _describe(call, columns["uid"], traits))
        context, app, tracker = read_context(call, _source(payload["headers"] or ()))
        items = [{"schema": schema, "data": data} for schema, data in (*entities, context)]
        return {**columns, "eid": event_id, "aid": app, "tv": tracker, **event, **wrap_entities(items)}

    def _track(self, call: Call, resolver: Resolver) -> tuple[str, dict[str, Any]]:
        event, properties = call.text("event"), call.object("properties")
        if event is None:
            raise refuse("no_event", "event: a track call needs the name of what was done.", path="event")
        own = self._own_schema(event, resolver)
        if own is not None:
            return str(own), properties
        amounts = {name: read_number(properties.get(name)) for name in ("revenue", "value")}
        currency = properties.get("currency")
        said = {"event": event, **amounts, "currency": currency if isinstance(currency, str) else None}
        return SPEC.format("track"), told(said | {"properties": properties})

    def _own_schema(self, event: str, resolver: Resolver) -> SchemaKey | None:
        name = re.sub("[^a-z0-9]+", "_", event.lower()).strip("_")
        if self.vendor is None or not name:
            return None
        first = SchemaKey(self.vendor, name, "jsonschema", SchemaVer(1, 0, 0))
        if resolver.find(first) is None:
            return None
        expires, newest = self._newest.get(name, (0.0, first))
        if time.monotonic() >= expires:
            newest = resolver.versions(first)[-1]
            self._newest[name] = (time.monotonic() + VERSIONS_TTL_S, newest)
        return newest


def _unpack(content: dict[str, Any]) -> Iterator[Any]:
    """Give the calls of a batch; what the batch says for all of them counts where one does not say it itself."""
    batch = content.get("batch")
    if not isinstance(batch, list) or not batch:
        raise refuse("empty", "batch: a list of calls was expected.", path="batch")
    sent = {"sentAt": content["sentAt"]} if "sentAt" in content else {}
    for message in batch:
        if not isinstance(message, dict):
            yield message
            continue
        shared = {name: _merge(content.get(name), message.get(name)) for name in ("context", "integrations")}
        yield {**sent, **message, **{name: value for name, value in shared.items() if value}}


def _describe(call: Call, user: str | None, traits: dict[str, Any]) -> dict[str, Any]:
    """Give the data of the event that a call is which is neither a page nor a track."""
    if call.type == "screen":
        names = {"name": call.text("name"), "category": call.text("category")}
        return told(names | {"properties": call.object("properties")})
    if call.type == "alias":
        return told({"userId": user, "previousId": call.text("previousId")})
    return told({"groupId": call.text("groupId") if call.type == "group" else None, "traits": traits})


def _merge(shared: Any, own: Any) -> Any:
    return {**shared, **own} if isinstance(shared, dict) and isinstance(own, dict) else own or shared


def _pixel(payload: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(read_query(payload).get("data", "").replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise refuse("not_base64", f"data: not base64 ({error}).", path="data") from error


def _source(headers: Sequence[str]) -> str | None:
    named = (header.removeprefix(SOURCE_HEADER) for header in headers if header.startswith(SOURCE_HEADER))
    return next(named, None)
