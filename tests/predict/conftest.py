"""MLflow takes a second to lay out an empty store: that is done once, and each project of the tests gets a copy."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from catchment.predict import PredictSettings
from catchment.predict.tracking import open_tracking


@pytest.fixture(scope="session")
def lay_out_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Give a function that puts an empty tracking store into a project folder."""
    template = tmp_path_factory.mktemp("template")
    with open_tracking(PredictSettings(), template):
        pass

    def lay_out(folder: Path) -> Path:
        shutil.copytree(template / ".catchment", folder / ".catchment")
        return folder

    return lay_out
