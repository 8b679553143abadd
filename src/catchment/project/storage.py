"""The verbs that look after the lake itself."""

from datetime import timedelta
from typing import Any

from catchment.project.opened import Opened


class LakeVerbs(Opened):
    """The lake is kept quick and small, and checked against what came in."""

    def upkeep(self) -> list[Any]:
        """Join small files, write checkpoints and remove what was replaced longer ago than `retention_hours`."""
        from catchment.lake.upkeep import tend

        with self.timed("upkeep") as run:
            tended = tend(self.lake, self.settings.lake.upkeep, self.clock())
            run.counts.update(
                files_before=sum(table.files_before for table in tended),
                files_after=sum(table.files_after for table in tended),
                files_removed=sum(table.files_removed for table in tended),
            )
        return tended

    def is_upkeep_due(self) -> bool:
        """Say whether the last upkeep that ended well is longer ago than `every_minutes`."""
        filters = [("verb", "=", "upkeep"), ("status", "=", "ok")]
        ends = self.lake.read("runs", ["finished_at"], filters)["finished_at"].to_pylist()
        every = timedelta(minutes=self.settings.lake.upkeep.every_minutes)
        return not ends or self.clock() - max(ends) >= every

    def check_lake(self) -> list[Any]:
        """Compare what the log gave with what stands in the lake, to the id."""
        from catchment.lake.check import check

        return check(self.lake)

    def conservation(self) -> list[dict[str, Any]]:
        """Give, for each stage, what came in beside what became of it: received = events + failed + duplicates."""
        import pyarrow.compute as pc

        batches = self.lake.read("batches")
        received, events, failed = (pc.sum(batches[name]).as_py() or 0 for name in ("received", "events", "failed"))
        in_lake = {name: self.count(name) for name in ("events", "failed_events")}
        distinct = self._count_distinct_events()
        return [
            _balance("enrich", received, events, failed, 0),
            _balance("lake", received, in_lake["events"], in_lake["failed_events"], 0),
            _balance("model", in_lake["events"], distinct, 0, in_lake["events"] - distinct),
        ]

    def _count_distinct_events(self) -> int:
        if not self.lake.exists("events"):
            return 0
        with self.engine.attach(self.lake) as session:
            table = session.query("select count(distinct event_id) as events from events").read_all()
        return int(table["events"][0].as_py())


def _balance(stage: str, received: int, events: int, failed: int, duplicates: int) -> dict[str, Any]:
    return {"stage": stage, "received": received, "events": events, "failed": failed, "duplicates": duplicates}
