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
            run.counts |= self._built_from()
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
        """Say whether events, or probable links, came since the last build that ended well."""
        if not self.lake.exists("events"):
            return False
        last = self.last_ok("build")
        return last is None or any(last.get(name) != version for name, version in self._built_from().items())

    def _built_from(self) -> dict[str, int | None]:
        links = self.settings.model.identity.links
        return {
            "events_version": self.lake.data_version("events"),
            "links_version": self.lake.data_version(links) if links else None,
        }
