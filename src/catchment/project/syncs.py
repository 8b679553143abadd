"""The verbs that bring other systems level with audiences."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from catchment.errors import SyncBusy
from catchment.observe import timed
from catchment.project.opened import Opened, named
from catchment.tables import RUNS


class SyncVerbs(Opened):
    """Members become calls to other systems."""

    def sync(self, name: str | None = None, **wishes: Any) -> list[Any]:
        """Bring each destination level with its audience: the sync named, or those that are due.

        Syncs of different destinations run side by side, so a slow one holds up nobody else; those of one destination
        run one after the other. Where one fails the others go on, and then the first failure is raised.
        """
        ends: list[Any] = []
        if name is not None:
            ends = self._run_lanes(named(self.syncs(), name, "sync"), wishes)
        done: set[str] = set()
        while due := [] if name is not None else [sync for sync in self.due_syncs() if sync.name not in done]:
            done |= {sync.name for sync in due}
            ends += self._run_lanes(due, wishes)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return ends

    def sync_scheduled(self) -> list[Any]:
        """Run the syncs that a schedule of their own makes due; for whoever keeps the clock."""
        ends = self._run_lanes([sync for sync in self.due_syncs() if sync.schedule.is_own], {})
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return ends

    def due_syncs(self) -> list[Any]:
        """Give the syncs that are due now, and tell whoever listens of those that should have been done long ago."""
        syncs = {sync.name: sync for sync in self.syncs()}
        due = {name: due for name, due in self.sync_schedules().items() if due.is_due}
        for name, one in due.items():
            if one.is_overdue:
                self._tell(syncs[name], ("overdue", f"it was due at {one.since:%Y-%m-%d %H:%M} UTC"))
        return [syncs[name] for name in due]

    def sync_schedules(self) -> dict[str, Any]:
        """Say of each sync whether it is due, since when, and when next."""
        from catchment.activate.schedule import Past, when_due

        runs = self.lake.read("sync_runs", ["sync", "started_at", "finished_at", "status"]).to_pylist()
        builds = self.lake.read("runs", ["finished_at"], [("verb", "=", "build"), ("status", "=", "ok")])
        started, ended = {}, {}
        for run in sorted(runs, key=lambda run: run["started_at"]):
            started[run["sync"]] = run["started_at"]
            if run["status"] != "failed":
                ended[run["sync"]] = run["finished_at"]
        built = max(builds["finished_at"].to_pylist(), default=None)
        return {
            sync.name: when_due(
                sync, Past(started.get(sync.name), built, ended.get(sync.schedule.after or "")), self.clock()
            )
            for sync in self.syncs()
        }

    def sync_status(self) -> list[dict[str, Any]]:
        """Give a row for each sync that has a schedule: when it is due, or since when it should have been done."""
        rows = []
        for sync in self.syncs():
            if sync.schedule.is_own:
                due = self.sync_schedules()[sync.name]
                state = "overdue" if due.is_overdue else "due" if due.is_due else "waits"
                state = "manual" if sync.schedule.manual else state
                rows.append({"what": f"schedule of sync {sync.name}", "state": state, "when": due.since or due.next_at})
        return rows

    def forget_in_destinations(self, person: str) -> list[Any]:
        """Delete a person wherever syncs have sent them; gives what became of each row, done or not.

        Call it before the lake forgets the person: it is the lake that knows where they were sent.
        """
        from catchment.activate.forget import forget_rows, person_keys
        from catchment.activate.turn import turn

        ends: list[Any] = []
        with self.timed("forget", "destinations") as run, self._ground() as ground:
            for sync in self.syncs():
                with turn(self.folder, sync.name):
                    keys = person_keys(sync, ground, person) if self.lake.exists(sync.model) else [person]
                    ends += forget_rows(sync, self.destination(sync.destination), ground, keys, run.run_id)
            run.counts.update(rows=len(ends))
        return ends

    def forget_rows_there(self, held: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
        """Delete rows, given by sync and key, at the destinations; gives the sync and what became of each.

        For a caller that has the syncs to itself.
        """
        from catchment.activate.forget import forget_rows

        ends: list[Any] = []
        with timed("forget", "destinations", record=self._note_run) as run, self._ground() as ground:
            for sync in (sync for sync in self.syncs() if sync.name in held):
                keys = sorted(held[sync.name])
                ends += forget_rows(sync, self.destination(sync.destination), ground, keys, run.run_id)
            run.counts.update(rows=len(ends))
        return [(end.sync, end.status) for end in ends]

    def plan_sync(self, name: str, **wishes: Any) -> Any:
        """Say what a sync would do, and keep the plan; sends nothing."""
        from catchment.activate.planning import Wishes
        from catchment.activate.preview import preview_sync

        (sync,) = named(self.syncs(), name, "sync")
        with self._ground(sync=sync) as ground:
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

    def _run_lanes(self, syncs: list[Any], wishes: dict[str, Any]) -> list[Any]:
        from catchment.activate.pace import Budgets

        lanes: dict[str, list[Any]] = {}
        for sync in syncs:
            lanes.setdefault(sync.destination, []).append(sync)
        budgets = Budgets()
        with ThreadPoolExecutor(max_workers=max(1, min(len(lanes), LANES)), thread_name_prefix="sync") as pool:
            ran = pool.map(lambda lane: [self._try_one(sync, budgets, wishes) for sync in lane], lanes.values())
            return [end for lane in ran for end in lane]

    def _try_one(self, sync: Any, budgets: Any, wishes: dict[str, Any]) -> Any:
        """Run a sync and give its report, or the error, to be raised once the others have had their turn."""
        from catchment.activate.alerts import judge

        try:
            report = self._run_one(sync, budgets, wishes)
        except SyncBusy as error:
            return error
        except Exception as error:
            self._tell(sync, ("failed", f"{type(error).__name__}: {error}"))
            return error
        self._tell(sync, judge(sync, report), report.run_id)
        return report

    def _tell(self, sync: Any, verdict: Any, run_id: str = "") -> None:
        from catchment.activate.alerts import tell

        tell(sync, verdict, self.settings.activate.alerts, self.lake, now=self.clock(), run_id=run_id)

    def _run_one(self, sync: Any, budgets: Any, wishes: dict[str, Any]) -> Any:
        from catchment.activate.planning import Wishes
        from catchment.activate.sync import run_sync
        from catchment.activate.turn import turn

        destination = self.destination(sync.destination)
        with (
            turn(self.folder, sync.name),
            timed("sync", sync.name, record=self._note_run) as run,
            self._ground(budgets, sync) as ground,
        ):
            report = run_sync(sync, destination, ground, Wishes(**wishes))
            run.counts.update(sent=report.sent, rejected=report.rejected, retry=report.retry)
        return report

    def _note_run(self, row: dict[str, Any]) -> None:
        self.lake.append("runs", pa.Table.from_pylist([row], RUNS.schema))

    @contextmanager
    def _ground(self, budgets: Any = None, sync: Any = None) -> Iterator[Any]:
        from catchment.activate.planning import Ground
        from catchment.audience.suppress import may_send

        rules = self.settings.audience
        is_of_people = sync is not None and sync.key == PERSON
        judge = may_send(sync.destination, rules, self.lake, self.clock()) if is_of_people else None
        with self.engine.attach(self.lake) as session:
            yield Ground(session, self.lake, self.clock(), budgets, may_send=judge)


PERSON = "person_id"
LANES = 8
"""So many destinations are served side by side."""
