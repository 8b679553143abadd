"""The verbs that say who is in an audience, and why."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import pyarrow as pa

from catchment.project.opened import Opened, named


class AudienceVerbs(Opened):
    """Scores and facts become members."""

    def refresh(self, name: str | None = None) -> list[Any]:
        """Recompute each audience's members, or those of the one named."""
        from catchment.audience.refresh import refresh

        reports = []
        for audience in named(self.audiences(), name, "audience"):
            with self.timed("refresh", audience.name) as run, self.engine.attach(self.lake) as session:
                report = refresh(audience, session, self.lake, self.clock(), self.settings.audience)
                run.counts.update(size=report.size, entered=report.entered, left=report.left)
            reports.append(report)
        return reports

    def audiences(self) -> list[Any]:
        """Read the audience files."""
        from catchment.audience.definition import load_audiences

        return load_audiences(self.settings.audience, self.folder)

    def audience(self, name: str) -> Any:
        """Read one audience's file; raises DefinitionError naming those there are."""
        (audience,) = named(self.audiences(), name, "audience")
        return audience

    def parse_audience(self, content: dict[str, Any]) -> Any:
        """Make an audience of a form's content; raises DefinitionError naming the key."""
        from catchment.audience.definition import parse_audience

        return parse_audience(content, "audience")

    def preview(self, audience: Any, columns: Sequence[str] = (), by: Sequence[str] = (), sample: int = 10) -> Any:
        """Say what a definition would come to now: the whole, each condition, some members, shares by column."""
        with self._previewing(audience) as previewer:
            return previewer.preview(audience, columns=columns, by=by, sample=sample)

    def why(self, audience: Any, person: str) -> Any:
        """Give the truth of each condition for one person, None where there is no such person."""
        with self._previewing(audience) as previewer:
            return previewer.why(audience, person)

    def overlap(self, names: Sequence[str]) -> Any:
        """Count, for each pair of audiences, who would be in both; without names, of all."""
        chosen = [self.audience(name) for name in names] if names else self.audiences()
        with self._previewing(*chosen) as previewer:
            return previewer.overlap(chosen)

    def members(self, name: str, at: datetime | None = None) -> pa.Table:
        """Give the stays of those who are in an audience, or were at a moment."""
        from catchment.audience.members import members_at

        return members_at(self.lake, self.audience(name).name, at or self.clock())

    def audience_sql(self, name: str, dialect: str) -> str:
        """Give an audience as SQL of an engine."""
        from catchment.audience.sql import render_sql

        schemas = {table: self.lake.schema(table) for table in self.lake.tables()}
        return render_sql(self.audience(name), schemas, self.settings.audience, self.clock(), dialect)

    def held_back(self, name: str, destination: str) -> dict[str, str]:
        """Give the members of an audience whom a destination may not be sent, each with the rule that says so."""
        from catchment.audience.members import current_members
        from catchment.audience.suppress import held_back

        people = current_members(self.lake, name)["person_id"]
        return held_back(people, destination, self.settings.audience, self.lake, self.clock())

    def check_suppression(self) -> None:
        """Refuse rules that name an audience or destination there is not; raises SettingsError."""
        from catchment.audience.suppress import check_rules

        names = {audience.name: audience for audience in self.audiences()}
        check_rules(self.settings.audience, names, self.settings.activate.destinations)

    @contextmanager
    def _previewing(self, *audiences: Any) -> Iterator[Any]:
        from catchment.audience.catalog import open_catalog
        from catchment.audience.preview import Previewer

        with self.engine.attach(self.lake) as session:
            backend = session.ibis()
            yield Previewer(backend, open_catalog(backend, self.settings.audience), self.clock())
