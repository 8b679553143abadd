"""The verbs that turn events into page views, sessions and people."""

from typing import Any

from catchment.project.opened import Opened


class ModelVerbs(Opened):
    """Events become visits and people."""

    def build(self, select: str | None = None) -> Any:
        """Build the models over all events of the lake; give dbt's outcome by model."""
        from catchment.model.build import build

        with self.timed("build") as run:
            run.counts["events_version"] = self.lake.version("events")
            report = build(
                self.lake, self.engine, self.settings.model, self.folder, select=select, progress=self.progress
            )
            run.counts["rows"] = {model.name: model.rows for model in report.models}
        return report

    def is_build_due(self) -> bool:
        """Say whether events came since the last build that ended well."""
        if not self.lake.exists("events"):
            return False
        last = self.last_ok("build")
        return last is None or last["events_version"] != self.lake.version("events")
