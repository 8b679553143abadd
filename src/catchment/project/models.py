"""The verbs that turn events into page views, sessions and people."""

from pathlib import Path
from typing import Any

from catchment.project.opened import Opened


class ModelVerbs(Opened):
    """Events become visits and people."""

    def build(self, select: str | None = None, exclude: str | None = None, full_refresh: bool = False) -> Any:
        """Bring the models up to the events of the lake; give dbt's outcome by model."""
        from catchment.model.build import Choice, build

        with self.timed("build") as run:
            run.counts["events_version"] = self.lake.data_version("events")
            choice = Choice(select, exclude, full_refresh)
            report = build(
                self.lake, self.engine, self.settings.model, self.folder, choice=choice, progress=self.progress
            )
            run.counts["plan"] = report.plan
            run.counts["rows"] = {model.name: model.rows for model in report.models}
        return report

    def model_docs(self) -> Path:
        """Write one page that describes every model; give its path."""
        from catchment.model.build import write_docs

        return write_docs(self.lake, self.engine, self.settings.model, self.folder)

    def is_build_due(self) -> bool:
        """Say whether events came since the last build that ended well."""
        if not self.lake.exists("events"):
            return False
        last = self.last_ok("build")
        return last is None or last["events_version"] != self.lake.data_version("events")
