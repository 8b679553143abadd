"""The verbs that say who is in an audience."""

from typing import Any

from catchment.project.opened import Opened, named


class AudienceVerbs(Opened):
    """Scores and facts become members."""

    def refresh(self, name: str | None = None) -> list[Any]:
        """Recompute each audience's members, or those of the one named."""
        from catchment.audience.refresh import refresh

        reports = []
        for audience in named(self.audiences(), name, "audience"):
            with self.timed("refresh", audience.name) as run, self.engine.attach(self.lake) as session:
                report = refresh(audience, session, self.lake, self.clock())
                run.counts.update(size=report.size, entered=report.entered, left=report.left)
            reports.append(report)
        return reports

    def audiences(self) -> list[Any]:
        """Read the audience files."""
        from catchment.audience.definition import load_audiences

        return load_audiences(self.settings.audience, self.folder)
