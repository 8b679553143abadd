"""A project with a real log and a real lake, and payloads as the collector writes them."""

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from catchment.collect.log import Payload, open_log
from catchment.project import Project

TP2 = "/com.snowplowanalytics.snowplow/tp2"
PAYLOAD_DATA = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0"
RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Make = Callable[..., Project]


@pytest.fixture
def make_project(tmp_path: Path) -> Make:
    def make(**settings: Any) -> Project:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "catchment.yml").write_text(yaml.safe_dump({"name": "test", **settings}))
        return Project.open(folder)

    return make


def write_schema(project: Project, key: str, schema: dict[str, Any]) -> Path:
    vendor, name, format_, version = key.split("/")
    told = {"self": {"vendor": vendor, "name": name, "format": format_, "version": version}, **schema}
    path = project.folder / "schemas" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))
    return path


def page_view(**parameters: str) -> dict[str, str]:
    return {"e": "pv", "p": "web", "tv": "js-4.6.8", "url": "https://www.acme.example/", **parameters}


def described(schema: str, data: Any) -> str:
    return json.dumps({"schema": UNSTRUCT, "data": {"schema": schema, "data": data}})


def entities(*items: tuple[str, Any]) -> str:
    return json.dumps({"schema": CONTEXTS, "data": [{"schema": schema, "data": data} for schema, data in items]})


def self_describing(schema: str, data: Any, **parameters: str) -> dict[str, str]:
    return {"e": "ue", "p": "web", "tv": "js-4.6.8", "ue_pr": described(schema, data), **parameters}


def payload(*events: Any, **fields: Any) -> Payload:
    body = json.dumps({"schema": PAYLOAD_DATA, "data": list(events)}).encode()
    known: dict[str, Any] = {
        "payload_id": str(uuid.uuid4()), "collector_tstamp": RECEIVED, "collector": "catchment-test", "path": TP2,
        "querystring": None, "content_type": "application/json", "body": body, "hostname": "collector.example",
        "ip_address": "198.18.0.7", "useragent": None, "referer_uri": None, "headers": [], "network_userid": None,
    }  # fmt: skip
    return Payload(**{**known, **fields})


def send(project: Project, *payloads: Payload) -> None:
    """Put payloads into the log, as the collector does."""

    async def append() -> None:
        log = open_log(project.settings.collect, project.folder)
        for each in payloads:
            await log.append(each)
        log.close()

    asyncio.run(append())


def rows(project: Project, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.lake.read(table).to_pylist()
    return found


def assert_conserved(project: Project) -> None:
    """Hold that what was received is what came of it, by the counts and by the tables."""
    for balance in project.conservation():
        if balance["stage"] != "model":
            assert balance["received"] == balance["events"] + balance["failed"] + balance["duplicates"], balance
