"""One project that the journey's tests share: 500 visitors came, and every stage ran once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from catchment.demo import serving_collector
from catchment.project import Project
from catchment.settings import load_settings
from tests.ports import free_port

VISITORS = 500


class Clock:
    """Begins on the last Monday that is over, at noon, so that the same visitors come on whatever day the test runs."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        self.behind = now - (noon - timedelta(days=now.weekday() or 7))

    def __call__(self) -> datetime:
        return datetime.now(UTC) - self.behind


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = tmp_path_factory.mktemp("journey")
    Project.init(folder)
    path = folder / "catchment.yml"
    content = yaml.safe_load(path.read_text())
    sandbox_port = free_port()
    content["collect"] = {"port": free_port()}
    content["serve"] = {"port": free_port()}
    content["sandbox"] = {"enabled": True, "port": sandbox_port}
    text = yaml.safe_dump(content).replace(":8091/", f":{sandbox_port}/")
    path.write_text(text)
    project = Project(folder, load_settings(folder), clock=Clock())
    with serving_collector(project), project.sandbox():
        yield project


@pytest.fixture(scope="session")
def told(project: Project) -> dict[str, Any]:
    from catchment.simulate.run import simulate

    told: dict[str, Any] = {
        "simulate": simulate(VISITORS, 7, project.collector_url, project.folder, now=project.clock())
    }
    project.run(lambda verb, report: told.update({verb: report}))
    return told


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kill-rounds", type=int, help="How often test_kill.py kills; it has a few rounds by itself.")
