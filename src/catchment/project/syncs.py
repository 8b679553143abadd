"""The verbs that bring other systems level with audiences."""

from typing import Any

from catchment.project.opened import Opened, named


class SyncVerbs(Opened):
    """Members become calls to other systems."""

    def sync(self, name: str | None = None) -> list[Any]:
        """Bring each destination level with its audience; unchanged rows are not sent."""
        from catchment.activate.sync import run_sync

        reports = []
        for sync in named(self.syncs(), name, "sync"):
            destination = self.destination(sync.destination)
            with self.timed("sync", sync.name) as run, self.engine.attach(self.lake) as session:
                report = run_sync(sync, destination, session, self.lake, self.clock())
                run.counts.update(sent=report.sent, rejected=report.rejected, retry=report.retry)
            reports.append(report)
        return reports

    def syncs(self) -> list[Any]:
        """Read the sync files."""
        from catchment.activate.definition import load_syncs

        return load_syncs(self.settings.activate, self.folder)

    def destination(self, name: str) -> Any:
        """Build the destination that a sync names."""
        from catchment.activate.destination import open_destination

        return open_destination(self.settings.activate, name, self.folder)
