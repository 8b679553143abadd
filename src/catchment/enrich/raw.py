"""Raw payloads of an existing pipeline become ours: Snowplow's CollectorPayload, or JSON lines.

A CollectorPayload is a struct in Thrift's binary protocol. It comes as one base64 text a line, as the collector's
stdout sink writes it, or as structs one after the other, as a stream is archived. JSON lines have the columns of
`tables.PAYLOADS`; the body is text in `body` or base64 in `body_base64`.
"""

import base64
import binascii
import io
import struct
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson

from catchment.enrich.failure import NAMESPACE
from catchment.tables import PAYLOADS

_FIELDS = {
    10: "querystring", 20: "collector", 30: "encoding", 40: "hostname", 50: "timestamp", 60: "ip_address",
    70: "useragent", 80: "referer_uri", 90: "headers", 100: "network_userid", 110: "path", 120: "content_type",
    130: "body", 31337: "schema",
}  # fmt: skip
_SIZES = {2: ">?", 3: ">b", 4: ">d", 6: ">h", 8: ">i", 10: ">q"}
_STRING, _STRUCT, _MAP, _SET, _LIST = 11, 12, 13, 14, 15
_DEEPEST = 8
_LARGEST = 16 * 2**20
_PIXEL, _BATCH = "/i", "/com.snowplowanalytics.snowplow/tp2"
_UNREADABLE = "catchment-packed: "
"""What the collector writes into the headers of a body it could not read; enrichment fails such a payload."""


class Undecodable(ValueError):
    """These bytes are no payload."""


def read_payloads(file: BinaryIO, file_id: str, now: datetime) -> Iterator[dict[str, Any]]:
    """Give the payloads of a file in order; what is none is one too, which enrichment will fail with its bytes."""
    for number, (record, read) in enumerate(_records(file)):
        payload_id = str(uuid.uuid5(NAMESPACE, f"{file_id}/{number}"))
        try:
            payload = read(record)
        except (Undecodable, ValueError) as error:
            payload = {"body": record, "path": "", "headers": [f"{_UNREADABLE}{error}"], "collector_tstamp": now}
        yield (
            dict.fromkeys(PAYLOADS.schema.names)
            | {"collector": "unknown"}
            | payload
            | {"payload_id": payload.get("payload_id") or payload_id}
        )


def decode_collector_payload(content: bytes) -> dict[str, Any]:
    """Read one CollectorPayload; raises Undecodable where it is none, or where something follows it."""
    file = io.BytesIO(content)
    payload = _read_payload(file)
    if file.read(1):
        raise Undecodable("something follows the payload")
    return payload


def _records(file: BinaryIO) -> Iterator[tuple[bytes, Any]]:
    start = file.read(3)
    rest = _Joined(start, file)
    if len(start) == 3 and start[0] in (_STRING, 10, _LIST) and int.from_bytes(start[1:], "big") in _FIELDS:
        yield from _structs(rest)
        return
    for line in rest.lines():
        if line.strip():
            yield line.strip(), _read_json if line.lstrip().startswith(b"{") else _read_base64


def _structs(file: "_Joined") -> Iterator[tuple[bytes, Any]]:
    """Part structs that follow each other; after one that is none nothing can be parted any more."""
    while True:
        content = file.read_struct()
        if not content:
            return
        yield content, decode_collector_payload


class _Joined:
    """A file of which the first bytes were read already."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._file = io.BufferedReader(_Chain(start, file), 2**16)  # type: ignore[arg-type]

    def lines(self) -> Iterator[bytes]:
        yield from self._file

    def read_struct(self) -> bytes:
        tape = _Tape(self._file)
        if not self._file.peek(1):
            return b""
        try:
            _read_struct(tape, 0)
        except Undecodable:
            return bytes(tape.read_so_far) + self._file.read()
        return bytes(tape.read_so_far)


class _Chain(io.RawIOBase):
    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start, self._source = start, file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._start[: len(buffer)] if self._start else self._source.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(content)] = content
        return len(content)


class _Tape:
    """Reads, and keeps what it read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.read_so_far = bytearray()

    def read(self, size: int) -> bytes:
        content: bytes = self._file.read(size)
        self.read_so_far += content
        return content


def _read_base64(line: bytes) -> dict[str, Any]:
    try:
        return decode_collector_payload(base64.b64decode(line, validate=True))
    except binascii.Error as error:
        raise Undecodable(f"the line is neither JSON nor base64 ({error})") from error


def _read_json(line: bytes) -> dict[str, Any]:
    told = orjson.loads(line)
    names = {field.name for field in PAYLOADS.schema if not field.name.startswith("_")}
    payload = {name: value for name, value in told.items() if name in names}
    for name in ("path", "collector_tstamp"):
        if not isinstance(payload.get(name), str):
            raise Undecodable(f"'{name}' is missing")
    headers = payload.get("headers") or []
    if not isinstance(headers, list) or not all(isinstance(header, str) for header in headers):
        raise Undecodable("'headers' is no list of texts")
    wrong = [name for name, value in payload.items() if name != "headers" and not isinstance(value, str | None)]
    if wrong:
        raise Undecodable(f"'{wrong[0]}' is no text")
    moment = datetime.fromisoformat(payload["collector_tstamp"])
    body = told.get("body")
    body = base64.b64decode(told["body_base64"]) if "body_base64" in told else body
    return payload | {
        "collector_tstamp": moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment,
        "body": body.encode() if isinstance(body, str) else body,
        "headers": headers,
    }


def _read_payload(file: Any) -> dict[str, Any]:
    told = {_FIELDS[number]: value for number, value in _read_struct(file, 0).items() if number in _FIELDS}
    timestamp, body = told.pop("timestamp", None), told.pop("body", None)
    if not isinstance(timestamp, int) or "collector" not in told:
        raise Undecodable("it has no timestamp or no collector")
    texts = {name: _text(value) for name, value in told.items() if name not in ("headers", "schema", "encoding")}
    moment = datetime.fromtimestamp(timestamp / 1000, UTC)
    path = texts.get("path") or (_PIXEL if body is None else _BATCH)
    headers = [_text(header) for header in told.get("headers") or ()]
    return {**texts, "path": path, "headers": headers, "body": body, "collector_tstamp": moment}


def _text(value: Any) -> str:
    if not isinstance(value, bytes):
        raise Undecodable("a text was expected")
    return value.decode("utf-8", "replace")


def _read_struct(file: Any, depth: int) -> dict[int, Any]:
    if depth > _DEEPEST:
        raise Undecodable("it is nested too deep")
    fields = {}
    while (kind := _take(file, 1)[0]) != 0:
        number = _number(file, ">h")
        fields[number] = _read_value(file, kind, depth)
    return fields


def _read_value(file: Any, kind: int, depth: int) -> Any:
    if kind in _SIZES:
        return _number(file, _SIZES[kind])
    if kind == _STRING:
        return _take(file, _size(file))
    if kind == _STRUCT:
        return _read_struct(file, depth + 1)
    if depth > _DEEPEST:
        raise Undecodable("it is nested too deep")
    if kind in (_SET, _LIST):
        inner = _take(file, 1)[0]
        return [_read_value(file, inner, depth + 1) for _ in range(_size(file))]
    if kind == _MAP:
        key, inner = _take(file, 2)
        return [(_read_value(file, key, depth + 1), _read_value(file, inner, depth + 1)) for _ in range(_size(file))]
    raise Undecodable(f"{kind} is no type of Thrift")


def _size(file: Any) -> int:
    size = int(_number(file, ">i"))
    if not 0 <= size <= _LARGEST:
        raise Undecodable(f"{size} is no size")
    return size


def _number(file: Any, shape: str) -> Any:
    return struct.unpack(shape, _take(file, struct.calcsize(shape)))[0]


def _take(file: Any, size: int) -> bytes:
    content: bytes = file.read(size)
    if len(content) != size:
        raise Undecodable("it ends midway")
    return content
