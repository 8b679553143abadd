"""Snowplow's Iglu webhook: anything at all that names its own schema, by GET or POST."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from catchment.enrich.adapter import (
    ADAPTER,
    Adapter,
    Example,
    Part,
    describe_event,
    read_json,
    read_media_type,
    read_query,
    refuse,
)
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver

PATH = "/com.snowplowanalytics.iglu/v1"
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PASSED_ON = ("nuid", "aid", "cv", "eid", "ttm", "url")
"""Parameters of the query string that mean the same here as in the tracker protocol, and are none of the event's."""

_SOCIAL = "iglu:com.snowplowanalytics.snowplow/social_interaction/jsonschema/1-0-0"
_TIMING = "iglu:com.snowplowanalytics.snowplow/timing/jsonschema/1-0-0"
_LIKE = {"action": "like", "network": "fb"}
_COLUMN = "unstruct_event_com_snowplowanalytics_snowplow_social_interaction_1"
_LIKED = {"event_name": "social_interaction", _COLUMN: {**_LIKE, "target": None}}
_TIMED = {"category": "page", "label": None, "timing": 120, "variable": "load"}


class Iglu(Adapter):
    """Snowplow's Iglu webhook: anything at all that names its own schema, by GET or POST."""

    examples: ClassVar[Sequence[Example]] = (
        Example(
            {"path": PATH, "querystring": f"schema={_SOCIAL}&aid=shop&p=mob&action=like&network=fb"},
            [{**_LIKED, "app_id": "shop", "platform": "mob", "v_tracker": "com.snowplowanalytics.iglu-v1"}],
        ),
        Example(
            {"path": PATH, "querystring": f"schema={_TIMING}&category=page&variable=load&timing=120"},
            [{"platform": "app", "unstruct_event_com_snowplowanalytics_snowplow_timing_1": _TIMED}],
        ),
        Example(
            {
                "path": PATH,
                "content_type": "application/json; charset=utf-8",
                "body": b'{"schema": "%s", "data": {"action": "like", "network": "fb"}}' % _SOCIAL.encode(),
            },
            [{**_LIKED, "platform": "app"}],
        ),
        Example(
            {
                "path": PATH,
                "querystring": f"schema={_SOCIAL}&aid=shop",
                "content_type": JSON,
                "body": b'[{"action": "like", "network": "fb"}, {"action": "like", "network": "fb"}]',
            },
            [{**_LIKED, "app_id": "shop"}, {**_LIKED, "app_id": "shop"}],
        ),
        Example(
            {
                "path": PATH,
                "querystring": f"schema={_SOCIAL}",
                "content_type": FORM,
                "body": b"action=like&network=fb",
            },
            [{**_LIKED, "platform": "srv"}],
        ),
        Example({"path": PATH, "querystring": "schema=iglu:nothing&action=like"}, failed=[ADAPTER]),
        Example({"path": PATH, "content_type": JSON, "body": b'{"action": "like"}'}, failed=[ADAPTER]),
        Example({"path": PATH, "querystring": f"schema={_SOCIAL}&action=like"}, failed=["schema_violations"]),
    )

    def accepts(self, path: str) -> bool:
        return path == PATH

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        query = read_query(payload)
        uri = query.pop("schema", None)
        platform = query.pop("p", None)
        passed = {name: query.pop(name) for name in PASSED_ON if name in query}
        parameters = {"tv": "com.snowplowanalytics.iglu-v1", "p": platform or "app", **passed}
        if not payload["body"]:
            return [Part({**parameters, **describe_event(*_typed(uri, query, resolver))})]
        media_type = read_media_type(payload)
        if media_type == FORM:
            form = dict(parse_qsl(payload["body"].decode(errors="replace"), keep_blank_values=True))
            parameters["p"] = platform or "srv"
            return [Part({**parameters, **describe_event(*_typed(uri or form.pop("schema", None), form, resolver))})]
        if media_type != JSON:
            raise refuse("content_type", f"The body's content type is neither {JSON} nor {FORM}.")
        described = _described(uri, read_json(payload["body"]))
        if len(described) > 1:
            parameters.pop("eid", None)  # one id is not the id of many
        return [Part({**parameters, **describe_event(schema, data)}) for schema, data in described]


def _described(uri: str | None, content: Any) -> list[tuple[str, Any]]:
    """Give schema and data of each event of a JSON body, by the query string or by itself."""
    if uri is None:
        is_described = isinstance(content, dict) and isinstance(content.get("schema"), str) and "data" in content
        if not is_described:
            message = "The body has to be {schema, data}, or the query string has to name the schema."
            raise refuse("not_self_describing", message)
        return [(str(_key(content["schema"])), content["data"])]
    key = str(_key(uri))
    items = content if isinstance(content, list) else [content]
    if not items:
        raise refuse("empty", "The body is a list without events.")
    return [(key, item) for item in items]


def _typed(uri: str | None, fields: Mapping[str, str], resolver: Resolver) -> tuple[str, dict[str, Any]]:
    """Give schema and data of one event whose fields are all text: numbers and truths are read as the schema wants."""
    key = _key(uri)
    resolved = resolver.find(key)
    properties = resolved.schema.get("properties") if resolved is not None else None
    wanted = properties if isinstance(properties, dict) else {}
    return str(key), {name: _read(value, wanted.get(name)) for name, value in fields.items()}


def _read(text: str, schema: Any) -> Any:
    declared = schema.get("type") if isinstance(schema, dict) else None
    types = {declared} if isinstance(declared, str) else set(declared or ())
    if "string" in types:
        return text
    if "boolean" in types and text in ("true", "false"):
        return text == "true"
    if "integer" in types and re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        return int(text)
    if "number" in types and re.fullmatch(r"-?\d{1,300}(\.\d+)?", text, re.ASCII):
        return float(text)
    return text


def _key(uri: str | None) -> SchemaKey:
    key = SchemaKey.parse(uri) if uri is not None else None
    if key is None:
        message = "A schema is needed that is an Iglu URI, such as iglu:com.acme/order/jsonschema/1-0-0."
        raise refuse("no_schema", message, path="schema")
    return key
