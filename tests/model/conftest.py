"""Events in a real lake, and the models that dbt builds over them."""

import shutil
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
from catchment.model.build import BuildReport, Choice, build

ALL = Choice()
LOCAL = LakeSettings()
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


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project folder for all tests: dbt reads the models once, and then only what a test changes."""
    return tmp_path_factory.mktemp("workshop")


def empty_project(folder: Path) -> Path:
    """Take lake and own models away from a project folder; what dbt has read of ours stays, which saves seconds."""
    for part in ("lake", "models", "macros"):
        shutil.rmtree(folder / part, ignore_errors=True)
    return folder


def append_and_build(
    project: Path, events: list[dict[str, Any]], choice: Choice = ALL, place: LakeSettings = LOCAL, **settings: Any
) -> Built:
    """Append events to the lake of a project, and bring its models up to date."""
    lake = Lake.open(place, project)
    if events:
        lake.append("events", table(events))
    report = build(lake, open_engine(place, project), ModelSettings(**settings), project, choice=choice)
    return Built(lake, report)


@pytest.fixture
def project(workshop: Path) -> Path:
    """The folder with neither lake nor models of its own."""
    return empty_project(workshop)


@pytest.fixture
def built(project: Path) -> Build:
    """Append events to the lake, and bring the models up to date."""

    def build_(*events: dict[str, Any], **settings: Any) -> Built:
        return append_and_build(project, list(events), **settings)

    return build_


def table(events: list[dict[str, Any]]) -> pa.Table:
    """Give events as the lake holds them."""
    return pa.Table.from_pylist(events, schema=pa.schema([*atomic_schema(), *TYPED.items()]))
