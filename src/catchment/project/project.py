"""A project folder and all its verbs."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catchment.errors import CatchmentError, SettingsError
from catchment.project.audiences import AudienceVerbs
from catchment.project.campaigns import CampaignVerbs
from catchment.project.events import EventVerbs
from catchment.project.exchange import ExchangeVerbs
from catchment.project.forget import ForgetVerbs
from catchment.project.identity import IdentityVerbs
from catchment.project.models import ModelVerbs
from catchment.project.predictions import PredictVerbs
from catchment.project.replay import ReplayVerbs
from catchment.project.schemas import SchemaVerbs
from catchment.project.storage import LakeVerbs
from catchment.project.syncs import SyncVerbs
from catchment.project.trace import TraceVerbs
from catchment.settings import FILE_NAME, find_project, load_settings


class Project(
    EventVerbs,
    ReplayVerbs,
    ExchangeVerbs,
    SchemaVerbs,
    LakeVerbs,
    ForgetVerbs,
    TraceVerbs,
    CampaignVerbs,
    ModelVerbs,
    IdentityVerbs,
    PredictVerbs,
    AudienceVerbs,
    SyncVerbs,
):
    """One project: its settings, its lake, and one short method per verb."""

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

    def run(self, on: Callable[[str, Any], None] = lambda verb, report: None) -> None:
        """Do once what is due, in order, telling `on` each outcome; going on after a stop is the same call."""
        with self.sandbox():
            on("enrich", self.enrich())
            if self.is_upkeep_due():
                on("upkeep", self.upkeep())
            self.follow_up(on)

    def follow_up(self, on: Callable[[str, Any], None] = lambda verb, report: None) -> None:
        """Do once what is due after enrichment: from ingest and matching to sync and measure."""
        on("ingest", self.ingest())
        if self.is_match_due():
            on("match", self.match())
        if self.is_build_due():
            on("build", self.build())
        if not self.lake.exists("first_touch_features"):
            return
        self.predict(on)
        on("refresh", self.refresh())
        on("sync", self.sync())
        on("measure", self.measure())

    def check(self) -> dict[str, int]:
        """Read every definition and ask every destination whether it knows us; raises what is wrong first."""
        self.resolver.ask_registries()
        self.check_suppression()
        destinations = [self.destination(name) for name in self.settings.activate.destinations]
        for destination in destinations:
            destination.check()
        return {
            "schemas": self.resolver.check(),
            "predictions": len(self.predictions()),
            "audiences": len(self.audiences()),
            "syncs": len(self.syncs()),
            "destinations": len(destinations),
        }

    def status(self) -> list[dict[str, Any]]:
        """Give every verb's last end, and the tables with their rows."""
        last: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.lake.read("runs").sort_by("started_at").to_pylist():
            last[row["verb"], row["name"]] = row
        runs = [
            {"what": f"{verb} {name}".strip(), "state": row["status"], "when": row["finished_at"], "note": row["error"]}
            for (verb, name), row in last.items()
        ]
        tables = [{"what": name, "state": f"{self.count(name):,} rows"} for name in self.lake.tables()]
        damage = [{"what": "log", "state": "damaged", "note": line} for line in self.damage()]
        return [*damage, *runs, *self.prediction_health(), *self.sync_status(), *tables]


def examples_folder() -> Path:
    """Give the folder of example projects: inside an installed package, or beside `src` in a clone."""
    here = Path(__file__).parents[1]
    for folder in (here / "examples", here.parents[1] / "examples"):
        if folder.is_dir():
            return folder
    raise CatchmentError("This installation has no examples.", hint="Install Catchment again.")
