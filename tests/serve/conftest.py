"""A project of the example, with an empty lake."""

from pathlib import Path

import pytest

from catchment.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "acme")
