"""A payload as the bytes that logs keep: its facts as one line of JSON, then its body, behind a checksum of both."""

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import orjson
import pyarrow as pa

from catchment.collect.log import Payload
from catchment.tables import PAYLOADS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHECKSUM_BYTES = 4
_MICROSECOND = timedelta(microseconds=1)


class CorruptRecord(Exception):
    """The bytes are not those that were written."""


def encode_record(payload: Payload) -> bytes:
    """Give the bytes of a payload."""
    facts = (
        payload.payload_id,
        (payload.collector_tstamp - EPOCH) // _MICROSECOND,
        *payload[2:6],
        payload.body is not None,
        *payload[7:],
    )
    try:
        line = orjson.dumps(facts)
    except orjson.JSONEncodeError:
        line = orjson.dumps(_without_surrogates(facts))
    content = b"%b\n%b" % (line, payload.body or b"")
    return zlib.crc32(content).to_bytes(CHECKSUM_BYTES, "big") + content


def is_intact(record: bytes) -> bool:
    """Say whether these are the bytes of a record, whole and unchanged."""
    content = memoryview(record)[CHECKSUM_BYTES:]
    return len(record) > CHECKSUM_BYTES and zlib.crc32(content) == int.from_bytes(record[:CHECKSUM_BYTES], "big")


def decode_records(rows: Sequence[tuple[int, bytes]]) -> pa.Table:
    """Give the payloads of (offset, record) rows as `tables.PAYLOADS`; raises CorruptRecord."""
    if not rows:
        return PAYLOADS.schema.empty_table()
    columns = dict(zip(PAYLOADS.schema.names, zip(*map(_decode, rows), strict=True), strict=True))
    arrays = [pa.array(columns[field.name], type=field.type) for field in PAYLOADS.schema]
    return pa.Table.from_arrays(arrays, schema=PAYLOADS.schema)


def _decode(row: tuple[int, bytes]) -> tuple[object, ...]:
    offset, record = row
    if not is_intact(record):
        raise CorruptRecord(f"The record at offset {offset} is not what was written.")
    line, _, body = record[CHECKSUM_BYTES:].partition(b"\n")
    facts = orjson.loads(line)
    # Kept as microseconds, as Arrow does, so that no clock or zone has a say.
    return (offset, *facts[:6], body if facts[6] else None, *facts[7:])


def _without_surrogates(fact: object) -> object:
    match fact:
        case str():
            return fact.encode("utf-8", "replace").decode()
        case list() | tuple():
            return [_without_surrogates(each) for each in fact]
    return fact
