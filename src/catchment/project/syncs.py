"""The verbs that bring other systems level with audiences."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from catchment.observe import timed
from catchment.project.opened import Opened, named
from catchment.tables import RUNS


class SyncVerbs(Opened):
    """Members become calls to other systems."""

    def sync(self, name: str | None = None, **wishes: Any) -> list[Any]:
        """Bring each destination level with its audience; unchanged rows are not sent.

        Syncs of different destinations run side by side, so a slow one holds up nobody else; those of one destination
        run one after the other. Where one fails the others go on, and then the first failure is raised.
        """
        from catchment.activate.pace import Budgets

        lanes: dict[str, list[Any]] = {}
        for sync in named(self.syncs(), name, "sync"):
            lanes.setdefault(sync.destination, []).append(sync)
        budgets = Budgets()
        with ThreadPoolExecutor(max_workers=max(1, min(len(lanes), LANES)), thread_name_prefix="sync") as pool:
            ends = [end for lane in pool.map(lambda lane: self._run_lane(lane, budgets, wishes), lanes.values())
                    for end in lane]  # fmt: skip
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return ends

    def plan_sync(self, name: str, **wishes: Any) -> Any:
        """Say what a sync would do, and keep the plan; sends nothing."""
        from catchment.activate.planning import Wishes
        from catchment.activate.preview import preview_sync

        (sync,) = named(self.syncs(), name, "sync")
        with self._ground() as ground:
            return preview_sync(sync, self.destination(sync.destination), ground, Wishes(**wishes))

    def apply_sync(self, name: str, plan_id: str | None = None, *, is_confirmed: bool = False) -> Any:
        """Do exactly what the newest plan of a sync, or the one named, says; raises StalePlan where it is not true."""
        from catchment.activate.planning import last_plan

        (sync,) = named(self.syncs(), name, "sync")
        (report,) = self.sync(name, plan_id=plan_id or last_plan(sync, self.lake), is_confirmed=is_confirmed)
        return report

    def syncs(self) -> list[Any]:
        """Read the sync files."""
        from catchment.activate.definition import load_syncs

        return load_syncs(self.settings.activate, self.folder)

    def destination(self, name: str) -> Any:
        """Build the destination that a sync names."""
        from catchment.activate.destination import open_destination

        return open_destination(self.settings.activate, name, self.folder)

    def _run_lane(self, lane: list[Any], budgets: Any, wishes: dict[str, Any]) -> list[Any]:
        ends: list[Any] = []
        for sync in lane:
            try:
                ends.append(self._run_one(sync, budgets, wishes))
            except Exception as error:
                ends.append(error)
        return ends

    def _run_one(self, sync: Any, budgets: Any, wishes: dict[str, Any]) -> Any:
        from catchment.activate.planning import Wishes
        from catchment.activate.sync import run_sync
        from catchment.activate.turn import turn

        destination = self.destination(sync.destination)
        with (
            turn(self.folder, sync.name),
            timed("sync", sync.name, record=self._note_run) as run,
            self._ground(budgets) as ground,
        ):
            report = run_sync(sync, destination, ground, Wishes(**wishes))
            run.counts.update(sent=report.sent, rejected=report.rejected, retry=report.retry)
        return report

    def _note_run(self, row: dict[str, Any]) -> None:
        self.lake.append("runs", pa.Table.from_pylist([row], RUNS.schema))

    @contextmanager
    def _ground(self, budgets: Any = None) -> Iterator[Any]:
        from catchment.activate.planning import Ground

        with self.engine.attach(self.lake) as session:
            yield Ground(session, self.lake, self.clock(), budgets)


LANES = 8
"""So many destinations are served side by side."""
