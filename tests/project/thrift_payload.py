"""Writes a CollectorPayload in Thrift's binary protocol, from the published table of its fields."""

import struct
from typing import Any

I64, STRING, LIST = 10, 11, 15
FIELDS = {
    "ipAddress": (60, STRING), "timestamp": (50, I64), "encoding": (30, STRING), "collector": (20, STRING),
    "querystring": (10, STRING), "hostname": (40, STRING), "userAgent": (70, STRING), "refererUri": (80, STRING),
    "headers": (90, LIST), "networkUserId": (100, STRING), "path": (110, STRING), "contentType": (120, STRING),
    "body": (130, STRING), "schema": (31337, STRING),
}  # fmt: skip


def encode(**values: Any) -> bytes:
    content = b""
    for name, value in values.items():
        number, kind = FIELDS[name]
        content += struct.pack(">bh", kind, number) + _value(kind, value)
    return content + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind == I64:
        return struct.pack(">q", value)
    if kind == LIST:
        return struct.pack(">bi", STRING, len(value)) + b"".join(_value(STRING, item) for item in value)
    text = value.encode() if isinstance(value, str) else value
    return struct.pack(">i", len(text)) + bytes(text)
