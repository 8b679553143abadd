"""The verbs that look after the lake itself."""

from typing import Any

from catchment.project.opened import Opened


class LakeVerbs(Opened):
    """The lake is checked against what came in."""

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
