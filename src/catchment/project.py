"""A project folder and its verbs; the only file that knows more than one stage.

A verb imports its stage when it is called: MLflow and dbt take seconds to import and
`catchment collect` needs neither.
"""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from catchment.errors import CatchmentError, SettingsError
from catchment.lake.lake import Lake
from catchment.settings import FILE_NAME, Settings, find_project, load_settings


class Project:
    """One project: its settings, its lake, and one short method per verb."""

    def __init__(self, folder: Path, settings: Settings, *, clock: Callable[[], datetime] | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.clock = clock or (lambda: datetime.now(UTC))

    @classmethod
    def open(cls, start: Path | None = None) -> "Project":
        """Open the project in or above `start`; raises ProjectNotFound or SettingsError."""
        folder = find_project(start or Path.cwd())
        return cls(folder, load_settings(folder))

    @classmethod
    def init(cls, folder: Path, example: str = "saas") -> "Project":
        """Make a project from an example; raises SettingsError where one stands already."""
        if (folder / FILE_NAME).exists():
            raise SettingsError(f"{folder / FILE_NAME} stands already.", hint="Use it, or choose an empty folder.")
        shutil.copytree(examples_folder() / example, folder, dirs_exist_ok=True)
        return cls.open(folder)

    @cached_property
    def lake(self) -> Lake:
        """The project's lake; raises LakeError where it cannot be written."""
        return Lake.open(self.settings.lake, self.folder)

    def collect(self) -> None:
        """Serve the collector until stopped."""
        from catchment.collect.server import serve_collector

        serve_collector(self.settings.collect, self.folder)


def examples_folder() -> Path:
    """Give the folder of example projects: inside an installed package, or beside `src` in a clone."""
    here = Path(__file__).parent
    for folder in (here / "examples", here.parents[1] / "examples"):
        if folder.is_dir():
            return folder
    raise CatchmentError("This installation has no examples.", hint="Install Catchment again.")
