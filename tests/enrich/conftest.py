"""Payloads as the collector makes them."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import Pipeline, open_pipeline
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from catchment.tables import OFFSET, PAYLOADS

NOW = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TP2 = "/com.snowplowanalytics.snowplow/tp2"
PAYLOAD_DATA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"


def make_payload(offset: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        OFFSET: offset,
        "payload_id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(offset))),
        "collector_tstamp": RECEIVED,
        "collector": "catchment-test",
        "path": TP2,
        "querystring": None,
        "content_type": "application/json; charset=utf-8",
        "body": None,
        "hostname": "collector.example",
        "ip_address": "198.18.0.7",
        "useragent": None,
        "referer_uri": None,
        "headers": [],
        "network_userid": "0b1b6c1e-7a88-4b6f-9a49-66a4bb0a9d3e",
        **fields,
    }


def make_batch(*events: Any, offset: int = 1, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"schema": PAYLOAD_DATA, "data": list(events)}).encode()
    return make_payload(offset, body=body, **fields)


def make_event(**parameters: str) -> dict[str, str]:
    return {"e": "pv", "p": "web", "tv": "js-4.6.8", "url": "https://www.acme.example/", **parameters}


def to_table(*payloads: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(payloads), schema=PAYLOADS.schema)


Open = Callable[..., Pipeline]


@pytest.fixture
def pipeline(tmp_path: Path) -> Open:
    def open_(**settings: Any) -> Pipeline:
        return open_pipeline(EnrichSettings(**settings), open_resolver(SchemaSettings(), tmp_path), tmp_path)

    return open_
