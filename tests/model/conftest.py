"""Events in a real lake, and the models that dbt builds over them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.event import atomic_schema
from catchment.lake import LakeSettings
from catchment.lake.engine import open_engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.build import BuildReport, build

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEB_PAGE = "contexts_com_snowplowanalytics_snowplow_web_page_1"
USER = "contexts_com_acme_user_1"
TYPED = {
    WEB_PAGE: pa.list_(pa.struct([("id", pa.string())])),
    USER: pa.list_(pa.struct([("email", pa.string())])),
}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(number: int, name: str = "page_view", seconds: float = 0, **columns: Any) -> dict[str, Any]:
    """One event of visitor `v1` in session `s1`; `view` names its page view."""
    view = columns.pop("view", "p1")
    email = columns.pop("email", None)
    return {
        "event_id": f"e{number}",
        "event_name": name,
        "domain_userid": "v1",
        "domain_sessionid": "s1",
        "domain_sessionidx": 1,
        "collector_tstamp": at(seconds),
        "derived_tstamp": at(seconds),
        "dvce_created_tstamp": at(seconds),
        "etl_tstamp": at(seconds),
        "load_tstamp": at(seconds),
        WEB_PAGE: [{"id": view}] if view else None,
        USER: [{"email": email}] if email else None,
        **columns,
    }


class Built:
    """A lake whose models are built."""

    def __init__(self, lake: Lake, report: BuildReport) -> None:
        self.lake = lake
        self.report = report

    def rows(self, table: str, key: str) -> dict[str, dict[str, Any]]:
        return {row[key]: row for row in self.lake.read(table).to_pylist()}


Build = Callable[..., Built]


@pytest.fixture
def built(tmp_path: Path) -> Build:
    def build_(*events: dict[str, Any], **settings: Any) -> Built:
        lake = Lake.open(LakeSettings(), tmp_path)
        schema = pa.schema([*atomic_schema(), *TYPED.items()])
        lake.append("events", pa.Table.from_pylist(list(events), schema=schema))
        report = build(lake, open_engine(LakeSettings(), tmp_path), ModelSettings(**settings), tmp_path)
        return Built(lake, report)

    return build_
