"""Good and bad events as Snowplow Micro's API shows them.

Source: the published pages of Micro's API, and the analytics SDK's JSON for the flat form.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson

from catchment.enrich.self_describing import read_entities, read_event
from catchment.event import COLUMNS
from catchment.schema.arrow import ENTITY, EVENT, column_name, snake_case
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver

TEST_ID = "test_id"
PIXELS = {"/i": ("com.snowplowanalytics.snowplow", "tp1"), "/ice.png": ("com.snowplowanalytics.snowplow", "tp1")}

_CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0"
_UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
_FAILURE = "contexts_com_snowplowanalytics_snowplow_failure_1"

Json = dict[str, Any]


class Shown(NamedTuple):
    """One event: what is looked for, and its two forms."""

    is_good: bool
    event_id: str | None
    app_id: str | None
    test_ids: list[str]
    tstamp: datetime
    nested: Json
    flat: Json


def show_good(row: Json, parameters: Json, payload: Json, resolver: Resolver) -> Shown:
    """Show an event that is valid."""
    event, sent = read_event(parameters), read_entities(parameters) or []
    derived = _derived(row, sent, resolver)
    plain = {column.name: _plain(row.get(column.name)) for column in COLUMNS}
    wrapped = {
        "contexts": {"schema": _CONTEXTS, "data": sent} if sent else {},
        "unstruct_event": {"schema": _UNSTRUCT, "data": event} if event is not None else None,
        "derived_contexts": {"schema": _CONTEXTS, "data": derived} if derived else {},
    }
    nested = {
        "rawEvent": _raw(parameters, payload),
        "eventType": row["event"],
        "schema": "iglu:{event_vendor}/{event_name}/{event_format}/{event_version}".format(**row),
        "contexts": [entity["schema"] for entity in sent],
        "event": {**plain, **wrapped},
    }
    flat = {name: value for name, value in plain.items() if name not in wrapped}
    flat |= _typed([*sent, *derived], event)
    tests = _test_ids(payload, row["app_id"], row["page_url"])
    return Shown(True, row["event_id"], row["app_id"], tests, row["collector_tstamp"], nested, flat)


def show_bad(row: Json, payload: Json) -> Shown:
    """Show an event, or a whole payload, that failed."""
    parameters = orjson.loads(row["original"]).get("parameters")
    faults = orjson.loads(row["errors"])
    errors = [f"{fault['message']} ({fault['schema']})" if fault["schema"] else fault["message"] for fault in faults]
    raw = _raw(parameters, payload) if parameters is not None else None
    nested = {"collectorPayload": _payload(payload), "rawEvent": raw, "errors": [f"{row['type']}: {e}" for e in errors]}
    told = parameters or {}
    failure = {
        "failureType": row["type"],
        "errors": faults,
        "schema": row["schema"],
        "timestamp": _plain(row["failed_tstamp"]),
        "componentName": "catchment",
    }
    flat = {
        "event_id": row["event_id"],
        "app_id": row["app_id"],
        "event": told.get("e"),
        "platform": told.get("p"),
        "collector_tstamp": _plain(row["collector_tstamp"]),
        "v_tracker": told.get("tv"),
        "user_id": told.get("uid"),
        "name_tracker": told.get("tna"),
        "domain_userid": told.get("duid"),
        _FAILURE: [failure],
    }
    url = told.get("url") or payload["referer_uri"]
    tests = _test_ids(payload, row["app_id"], url if isinstance(url, str) else None)
    return Shown(False, row["event_id"], row["app_id"], tests, row["collector_tstamp"], nested, flat)


def _derived(row: Json, sent: list[Json], resolver: Resolver) -> list[Json]:
    """Give the entities that enrichments added: they stand after those that were sent."""
    counts: dict[str, int] = {}
    for entity in sent:
        key = SchemaKey.parse(entity["schema"])
        if key is not None:
            counts[column_name(ENTITY, key)] = counts.get(column_name(ENTITY, key), 0) + 1
    added = {
        name: values[counts.get(name, 0) :]
        for name, values in row.items()
        if name.startswith(f"{ENTITY}_") and values and len(values) > counts.get(name, 0)
    }
    if not added:
        return []
    schemas = resolver.keys()
    homes = {column_name(ENTITY, key): key for key in schemas}
    return [
        {"schema": str(homes[name]), "data": _named(value, resolver, homes[name])}
        for name, values in sorted(added.items())
        if name in homes
        for value in values
    ]


def _named(value: Json, resolver: Resolver, key: SchemaKey) -> Json:
    """Give the fields of an entity their names in its schema, and leave out those that say nothing."""
    resolved = resolver.find(key)
    known = resolved.schema.get("properties", {}) if resolved is not None else {}
    names = {snake_case(name): name for name in known}
    return {names.get(name, name): _plain(part) for name, part in value.items() if part is not None}


def _typed(entities: list[Json], event: Json | None) -> Json:
    typed: Json = {}
    for entity in entities:
        key = SchemaKey.parse(entity["schema"])
        if key is not None:
            typed.setdefault(column_name(ENTITY, key), []).append(entity["data"])
    key = SchemaKey.parse(event["schema"]) if event is not None else None
    return typed if key is None or event is None else typed | {column_name(EVENT, key): event["data"]}


def _raw(parameters: Json, payload: Json) -> Json:
    return {
        "api": _api(payload["path"]),
        "parameters": parameters,
        "contentType": payload["content_type"],
        **_about(payload),
    }


def _payload(payload: Json) -> Json:
    pairs = parse_qsl(payload["querystring"] or "", keep_blank_values=True)
    body = payload["body"]
    return {
        "api": _api(payload["path"]),
        "querystring": [{"name": name, "value": value} for name, value in pairs],
        "contentType": payload["content_type"],
        "body": body.decode(errors="replace") if body is not None else None,
        **_about(payload),
    }


def _about(payload: Json) -> Json:
    return {
        "source": {"name": payload["collector"], "encoding": "UTF-8", "hostname": payload["hostname"]},
        "context": {
            "timestamp": _plain(payload["collector_tstamp"]),
            "ipAddress": payload["ip_address"],
            "useragent": payload["useragent"],
            "refererUri": payload["referer_uri"],
            "headers": payload["headers"],
            "userId": payload["network_userid"],
        },
    }


def _api(path: str) -> Json:
    vendor, _, version = path.removeprefix("/").partition("/")
    vendor, version = PIXELS.get(path, (vendor, version))
    return {"vendor": vendor, "version": version}


def _test_ids(payload: Json, app_id: str | None, page_url: str | None) -> list[str]:
    """Name the tests that an event may belong to: by the request's query, its cookie, the page's query, or the app."""
    cookies = next((h.partition(":")[2] for h in payload["headers"] if h.lower().startswith("cookie:")), "")
    pairs = (cookie.strip().partition("=") for cookie in cookies.split(";"))
    told = [value for name, _, value in pairs if name == TEST_ID]
    for query in (payload["querystring"], _query(page_url)):
        told.extend(parse_qs(query or "").get(TEST_ID, ()))
    return list(dict.fromkeys([*told, *filter(None, (app_id,))]))


def _query(url: str | None) -> str:
    try:
        return urlsplit(url or "").query
    except ValueError:
        return ""


def _plain(value: Any) -> Any:
    """Give what JSON can hold, times as Micro writes them."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
