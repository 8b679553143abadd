"""Options of the whole suite, and how it is parted between processes."""

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

SHARED = {
    "tests/journey/test_console.py": "tests/journey/test_journey.py",
    "tests/spark/test_audiences.py": "tests/spark/test_models.py",
}
"""Files that stand on the same costly fixture go to one process."""

settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")
"""Properties see the same examples on every machine, however slow; `--hypothesis-profile search` looks for new ones."""


class ByFile(LoadFileScheduling):
    """Sends a file to one process whole, and files that share a fixture to the same."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return SHARED.get(file, file)


@pytest.hookimpl
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Part by file, so that a module's fixtures are made once."""
    return ByFile(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew, to be reviewed like any change."""
    parser.addoption("--golden", action="store_true", help="write the golden files anew")
