"""Failed events as Snowplow's bad rows: self-describing JSON, by the schemas that Iglu Central publishes.

What Snowplow has no type for (an event that was dropped or taken out as a duplicate) is a `generic_error`.
"""

import base64
import uuid
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pyarrow as pa

from catchment import __version__
from catchment.event import COLUMNS, JSON_COLUMNS, TIMESTAMP

_VENDOR = "com.snowplowanalytics.snowplow.badrows"
_VERSIONS = {
    "size_violation": "1-0-0",
    "generic_error": "1-0-0",
    "collector_payload_format_violation": "1-0-0",
    "adapter_failures": "1-0-0",
    "tracker_protocol_violations": "1-0-1",
    "schema_violations": "2-0-1",
    "enrichment_failures": "2-0-1",
    "loader_parsing_error": "2-0-0",
    "loader_iglu_error": "2-0-1",
    "recovery_error": "1-0-1",
}
_PAYLOAD_DATA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
_TP1 = ("com.snowplowanalytics.snowplow", "tp1")
_BODY_LIMIT = 1_048_576

Row = dict[str, Any]


def to_bad_row(row: Row) -> bytes:
    """Give one row of `failed_events` as a bad row."""
    kind = row["type"] if row["type"] in _VERSIONS else "generic_error"
    original, faults = orjson.loads(row["original"]), orjson.loads(row["errors"])
    failure, payload = _BUILDERS[kind](row, original, faults)
    return orjson.dumps(_describe(kind, failure, payload))


def _describe(kind: str, failure: Any, payload: Any) -> Row:
    processor = {"artifact": "catchment", "version": __version__}
    schema = f"iglu:{_VENDOR}/{kind}/jsonschema/{_VERSIONS[kind]}"
    return {"schema": schema, "data": {"processor": processor, "failure": failure, "payload": payload}}


def _size_violation(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    body = row["payload"] or b""
    told = [int(word) for word in row["message"].split() if word.isdecimal()]
    failure = {
        "timestamp": _moment(row["failed_tstamp"]),
        "maximumAllowedSizeBytes": len(body),
        "actualSizeBytes": told[0] if told else len(body),
        "expectation": row["message"][:256],
    }
    return failure, _text(body[: max(len(body) // 10, 1)])


def _generic_error(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    failure = {"timestamp": _moment(row["failed_tstamp"]), "errors": [fault["message"] for fault in faults]}
    return failure, row["original"]


def _format_violation(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    failure = {
        "timestamp": _moment(row["failed_tstamp"]),
        "loader": "thrift",
        "message": {"error": row["message"][:512]},
    }
    return failure, base64.b64encode(row["payload"] or b"").decode()


def _protocol(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    vendor, version = _protocol_of(original)
    messages = [_protocol_message(fault, row) for fault in faults]
    failure = {
        "timestamp": _moment(row["failed_tstamp"]), "vendor": vendor, "version": version, "messages": messages,
    }  # fmt: skip
    return failure, _collector_payload(row, original)


def _adapter(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    failure, payload = _protocol(row, original, [])
    return failure | {"messages": [_expectation(fault) for fault in faults]}, payload


def _schema_violations(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    messages = [_schema_message(fault, row) for fault in faults]
    return {"timestamp": _moment(row["failed_tstamp"]), "messages": messages}, _event_payload(row, original)


def _enrichment_failures(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    messages = [{"enrichment": None, "message": {"error": fault["message"][:512]}} for fault in faults]
    return {"timestamp": _moment(row["failed_tstamp"]), "messages": messages}, _event_payload(row, original)


def _parsing_error(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    line, code = _text(row["payload"]), faults[0]["code"]
    if code == "field_number":
        return {"type": "FieldNumberMismatch", "fieldCount": line.count("\t") + 1}, line
    if code != "row_decoding":
        return {"type": "NotTSV"}, line
    fields = dict(zip((column.name for column in COLUMNS), line.split("\t"), strict=False))
    errors = [
        {"type": "InvalidValue", "key": fault["path"][:32], "value": fields.get(fault["path"], ""),
         "message": fault["message"]}
        for fault in faults
    ]  # fmt: skip
    return {"type": "RowDecodingError", "errors": errors}, line


def _iglu_error(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    failure = []
    for fault in faults:
        told = _iglu(fault, row)
        message = {"schemaKey": fault["schema"] or "", "message": fault["message"]}
        failure.append(message if told is None else {"schemaKey": fault["schema"], "error": told})
    return failure, _loaded_event(_text(row["payload"]))


def _recovery_error(row: Row, original: Row, faults: list[Row]) -> tuple[Any, Any]:
    kind = faults[0]["path"] if faults[0]["path"] in _VERSIONS else "generic_error"
    kind = "schema_violations" if kind in ("generic_error", "recovery_error") else kind
    failure, payload = _BUILDERS[kind](row, original, faults)
    return {"error": row["message"], "configName": None}, _describe(kind, failure, payload)


_BUILDERS: dict[str, Callable[[Row, Row, list[Row]], tuple[Any, Any]]] = {
    "size_violation": _size_violation,
    "generic_error": _generic_error,
    "collector_payload_format_violation": _format_violation,
    "adapter_failures": _adapter,
    "tracker_protocol_violations": _protocol,
    "schema_violations": _schema_violations,
    "enrichment_failures": _enrichment_failures,
    "loader_parsing_error": _parsing_error,
    "loader_iglu_error": _iglu_error,
    "recovery_error": _recovery_error,
}


def _protocol_message(fault: Row, row: Row) -> Row:
    told = _iglu(fault, row)
    return _expectation(fault) if told is None else {"schemaKey": fault["schema"], "error": told}


def _schema_message(fault: Row, row: Row) -> Row:
    told = _iglu(fault, row)
    if told is not None:
        return {"schemaKey": fault["schema"], "error": told}
    return {"field": (fault["path"] or fault["code"])[:64], "value": None, "error": fault["message"]}


def _expectation(fault: Row) -> Row:
    return {"field": (fault["path"] or fault["code"])[:64], "value": None, "expectation": fault["message"][:256]}


def _iglu(fault: Row, row: Row) -> Row | None:
    """Give a fault as Iglu's client tells it; None where it is not about a schema."""
    if fault["schema"] is None:
        return None
    if fault["code"] == "unknown_schema":
        lookup = {
            "repository": "all",
            "errors": [{"error": "NotFound"}],
            "attempts": 1,
            "lastAttempt": _moment(row["failed_tstamp"]),
        }
        return {"error": "ResolutionError", "lookupHistory": [lookup]}
    report = {"message": fault["message"], "path": fault["path"], "keyword": fault["keyword"], "targets": []}
    return {"error": "ValidationError", "dataReports": [report]}


def _protocol_of(original: Row) -> tuple[str, str]:
    parts = (original["payload"]["path"] or "").strip("/").split("/")
    vendor, version = (parts[0], parts[1]) if len(parts) == 2 else _TP1
    return vendor[:64], version[:16]


def _envelope(row: Row, original: Row) -> Row:
    payload = original["payload"]
    vendor, version = _protocol_of(original)
    headers = payload["headers"]
    return {
        "vendor": vendor,
        "version": version,
        "contentType": _cut(payload["content_type"], 256),
        "encoding": "UTF-8",
        "hostname": _cut(payload["hostname"], 8192),
        "timestamp": _moment(row["collector_tstamp"]),
        "ipAddress": _cut(payload["ip_address"], 128),
        "useragent": _cut(payload["useragent"], 4096),
        "refererUri": _cut(payload["referer_uri"], 8192),
        "headers": None if headers is None else [header[:8192] for header in headers],
    }


def _collector_payload(row: Row, original: Row) -> Row:
    payload, parameters = original["payload"], original["parameters"]
    body = None if row["payload"] is None else _text(row["payload"][:_BODY_LIMIT])
    if parameters is not None:
        body = orjson.dumps({"schema": _PAYLOAD_DATA, "data": [parameters]}).decode()
    return _envelope(row, original) | {
        "querystring": _pairs(dict(parse_qsl(payload["querystring"] or "", keep_blank_values=True))),
        "body": body,
        "collector": payload["collector"][:32],
        "networkUserId": _uuid(payload["network_userid"]),
    }


def _event_payload(row: Row, original: Row) -> Row:
    payload = original["payload"]
    raw = _envelope(row, original) | {
        "parameters": _pairs(original["parameters"] or {}),
        "loaderName": payload["collector"][:32],
        "userId": _uuid(payload["network_userid"]),
    }
    enriched: Row = {column.name: None for column in COLUMNS}
    enriched |= {
        "app_id": row["app_id"],
        "event_id": row["event_id"],
        "collector_tstamp": _moment(row["collector_tstamp"]),
        "etl_tstamp": _moment(row["failed_tstamp"]),
        "v_collector": payload["collector"],
        "v_etl": f"catchment-{__version__}",
        "user_ipaddress": payload["ip_address"],
        "useragent": payload["useragent"],
        "network_userid": payload["network_userid"],
    }
    return {"enriched": enriched, "raw": raw}


def _loaded_event(line: str) -> Row:
    fields = zip(COLUMNS, line.split("\t"), strict=False)
    return {column.name: _typed(column.name, column.type, text) for column, text in fields}


def _typed(name: str, type_: pa.DataType, text: str) -> Any:
    if not text:
        return None
    if name in JSON_COLUMNS:
        return _json(text)
    if type_ == TIMESTAMP:
        return text.replace(" ", "T") + "Z"
    if pa.types.is_boolean(type_):
        return text == "1"
    if pa.types.is_string(type_):
        return text
    return _number(text)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _number(text: str) -> int | float | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return int(number) if number == number.to_integral_value() else float(number)


def _pairs(parameters: Row) -> list[Row]:
    return [
        {"name": str(name)[:512], "value": None if value is None else str(value)[:512]}
        for name, value in parameters.items()
    ]


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(body: bytes | None) -> str:
    return (body or b"").decode("utf-8", "replace")


def _cut(text: str | None, length: int) -> str | None:
    return None if text is None else text[:length]


def _uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(uuid.UUID(text))
    except ValueError:
        return None
