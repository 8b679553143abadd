"""The verb that sends failed events through enrichment again."""

import fcntl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from catchment.errors import LakeError, SettingsError
from catchment.project.opened import Opened
from catchment.tables import OFFSET


@dataclass(frozen=True)
class Replayed:
    """What one replay came to: failed events sent again = the payloads and events of them; events + failed came out."""

    replay_id: str
    sent: int = 0
    events: int = 0
    failed: int = 0


class ReplayVerbs(Opened):
    """Failed events get another chance, once."""

    def replay(self, choice: Any, *, repair: str = "") -> list[Replayed]:
        """Send the chosen failed events through enrichment again, exactly once; first go on with what was stopped.

        `repair` names a function of the project, "module:function", which takes one failed event and gives it
        repaired, or None to leave it alone.
        """
        from catchment.lake.replays import Replays

        replays = Replays(self.lake)
        with self._alone():
            done = [self._carry_out(replays, plan) for plan in replays.unfinished()]
            chosen = self._wanted(replays, replays.choose(choice), repair)
            if chosen:
                done.append(self._carry_out(replays, replays.write_plan(chosen, repair, self.clock())))
        return done

    def preview_replay(self, choice: Any, *, repair: str = "") -> list[dict[str, Any]]:
        """Count what `replay` would send again, by what is wrong with it; nothing is changed."""
        from catchment.lake.replays import Replays

        replays = Replays(self.lake)
        rows = self._wanted(replays, replays.choose(choice), repair)
        counts = Counter((row["type"], row["code"], row["schema"] or "", row["app_id"] or "") for row in rows)
        names = ("type", "code", "schema", "app_id")
        return [{**dict(zip(names, key, strict=True)), "failed_events": count} for key, count in counts.most_common()]

    def _wanted(self, replays: Any, chosen: list[dict[str, Any]], repair: str) -> list[dict[str, Any]]:
        from catchment.enrich.again import wants
        from catchment.lake.replays import SLICE

        if not repair:
            return chosen
        function, kept = self._repair(repair), []
        for start in range(0, len(chosen), SLICE):
            some = chosen[start : start + SLICE]
            stamps = [row["failed_tstamp"] for row in some]
            rows = replays.read_failed([row["failed_id"] for row in some], stamps)
            ids = {row["failed_id"] for row, wanted in zip(rows, wants(rows, function), strict=True) if wanted}
            kept += [row for row in some if row["failed_id"] in ids]
        return kept

    def _carry_out(self, replays: Any, plan: Any) -> Replayed:
        from catchment.enrich.enriched import EnrichedReader
        from catchment.enrich.pipeline import open_pipeline

        self.resolver.reread()
        pipeline = open_pipeline(self.settings.enrich, self.resolver, self.folder)
        reader = EnrichedReader(self.resolver)
        repair = self._repair(plan.repair) if plan.repair else None
        total = Replayed(plan.replay_id)
        with self.timed("replay", plan.replay_id) as run:
            for positions in plan.slices():
                if not replays.is_committed(plan, positions):
                    total = self._send(replays, plan, positions, (pipeline, reader, repair), total)
                replays.mark(plan, positions, self.clock())
                self.progress("failed events are sent again", positions.stop, len(plan.failed_ids))
            run.counts.update(vars(total))
        return total

    def _send(self, replays: Any, plan: Any, positions: range, by: tuple[Any, Any, Any], total: Replayed) -> Replayed:
        from catchment.enrich.again import enrich_again, prepare
        from catchment.lake.batch import Outcome, commit_batch

        pipeline, reader, repair = by
        rows = replays.read(plan, positions)
        now = plan.moment(positions)
        again = prepare(rows, repair, now)
        done = enrich_again(again.payloads, pipeline, reader, now)
        failed = pa.concat_tables([done.failed, again.failed])
        events, failed = replays.settle(plan, positions, done.events, failed)
        offsets = pa.table({OFFSET: pa.array(list(positions), pa.int64())})
        commit_batch(self.lake, plan.log_id, offsets, Outcome(events, failed), now=self.clock())
        return Replayed(
            plan.replay_id,
            sent=total.sent + len(rows),
            events=total.events + events.num_rows,
            failed=total.failed + failed.num_rows,
        )

    def _repair(self, name: str) -> Any:
        from catchment.enrich.function import load_function

        module, _, function = name.partition(":")
        if not module or not function:
            raise SettingsError(
                f"The repair '{name}' names no function.", hint="Write it as module:function, such as repairs:add_url."
            )
        return load_function(self.folder, module, function, "repair", "event")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep a second replay of this folder out while the block lasts; raises LakeError where one is going on."""
        place = self.folder / ".catchment" / "replay.lock"
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise LakeError("Another replay of this project is going on.", hint="Wait until it ended.") from error
            yield
