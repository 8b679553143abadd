"""Replays of failed events: which are chosen, how far each has come, and what of it the lake holds.

A replay is a plan in the table `replays` before anything is done, so that one that was stopped anywhere is gone on
with. Its events carry the moment of its request as `etl_tstamp`, which no other replay has: that is how it is told
what of a slice came into the lake before a stop.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, Transaction
from deltalake.exceptions import CommitFailedError

from catchment.errors import LakeError
from catchment.event import LOAD_TSTAMP
from catchment.lake.lake import Lake
from catchment.lake.layout import lay_out
from catchment.schema.key import Criterion, SchemaKey
from catchment.tables import BATCHES, EVENTS, FAILED_EVENTS, OFFSET, REPLAYS

SLICE = 1_000
"""Failed events that are sent again at once."""

ONLY_IF_NAMED = ("size_violation", "duplicate_event", "dropped_event")
"""Types that are replayed only where they are asked for: a cut body stays cut, what was taken out was meant to be."""

_TRIES = 10
_JUDGED = ["failed_id", "event_id", "app_id", "type", "code", "schema", "collector_tstamp", "failed_tstamp"]


@dataclass(frozen=True)
class Choice:
    """Which failed events: all that fit each of these, where it is given."""

    types: Sequence[str] = ()
    schemas: Sequence[Criterion] = ()
    app_ids: Sequence[str] = ()
    event_ids: Sequence[str] = ()
    failed_ids: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, row: dict[str, Any]) -> bool:
        """Say whether a row of `failed_events` is chosen; `since` and `until` are about when it was received."""
        named = self.types or self.failed_ids or self.event_ids
        return (
            (row["type"] in self.types if self.types else bool(named) or row["type"] not in ONLY_IF_NAMED)
            and (not self.app_ids or row["app_id"] in self.app_ids)
            and (not self.event_ids or row["event_id"] in self.event_ids)
            and (not self.failed_ids or row["failed_id"] in self.failed_ids)
            and (not self.schemas or _is_of(row["schema"], self.schemas))
            and (self.since is None or row["collector_tstamp"] >= self.since)
            and (self.until is None or row["collector_tstamp"] < self.until)
        )


class Plan(NamedTuple):
    """One replay: the failed events in the order in which they are sent again."""

    replay_id: str
    requested_at: datetime
    repair: str
    failed_ids: list[str]
    failed_tstamps: list[datetime]

    @property
    def log_id(self) -> str:
        """Name it as a log: its positions are offsets."""
        return f"replay-{self.replay_id}"

    def moment(self, positions: range) -> datetime:
        """Give the `etl_tstamp` of one slice, which nothing else has."""
        return self.requested_at + timedelta(microseconds=positions.start // SLICE)

    def slices(self) -> Iterator[range]:
        """Give its positions in the portions in which they are committed."""
        for start in range(0, len(self.failed_ids), SLICE):
            yield range(start, min(start + SLICE, len(self.failed_ids)))


class Replays:
    """The replays of one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._number = 0

    def choose(self, choice: Choice) -> list[dict[str, Any]]:
        """Give what is known of the failed events that fit and were not replayed yet, oldest first."""
        self._number = self._lake.committed(REPLAYS.name, REPLAYS.name) + 1
        rows = self._lake.read(FAILED_EVENTS.name, [*_JUDGED, "replayed_tstamp"]).to_pylist()
        chosen = [row for row in rows if row["replayed_tstamp"] is None and choice.fits(row)]
        return sorted(chosen, key=lambda row: (row["failed_tstamp"], row["failed_id"]))

    def write_plan(self, chosen: Sequence[dict[str, Any]], repair: str, now: datetime) -> Plan:
        """Commit to sending these again; raises LakeError where another replay was planned since they were chosen."""
        number = self._number
        known = self._lake.read(REPLAYS.name, ["requested_at"])
        last = pc.max(known["requested_at"]).as_py() if known.num_rows else None
        # Each slice of each replay has a microsecond of its own.
        free = now if last is None else last + timedelta(microseconds=known.num_rows // SLICE + 1)
        moment = max(now, free)
        ids, stamps = [row["failed_id"] for row in chosen], [row["failed_tstamp"] for row in chosen]
        plan = Plan(f"{number:06d}", moment, repair, ids, stamps)
        table = pa.Table.from_pylist(
            [
                {"replay_id": plan.replay_id, "number": number, "position": position, "failed_id": failed_id,
                 "failed_tstamp": stamp, "requested_at": moment, "repair": repair, OFFSET: number}
                for position, (failed_id, stamp) in enumerate(zip(ids, stamps, strict=True))
            ],
            schema=REPLAYS.schema.append(pa.field(OFFSET, pa.int64())),
        )  # fmt: skip
        try:
            written = self._lake.append(REPLAYS.name, table, app_id=REPLAYS.name, offset=number)
        except CommitFailedError as error:
            raise _two_at_once() from error
        if written != table.num_rows:
            raise _two_at_once()
        return plan

    def unfinished(self) -> list[Plan]:
        """Give the replays that were stopped before their end, oldest first."""
        rows = self._lake.read(REPLAYS.name).sort_by([("number", "ascending"), ("position", "ascending")]).to_pylist()
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["replay_id"], []).append(row)
        plans = [
            Plan(
                replay_id, parts[0]["requested_at"], parts[0]["repair"],
                [part["failed_id"] for part in parts], [part["failed_tstamp"] for part in parts],
            )
            for replay_id, parts in found.items()
        ]  # fmt: skip
        return [plan for plan in plans if self._marked(plan) < len(plan.failed_ids) - 1]

    def read(self, plan: Plan, positions: range) -> list[dict[str, Any]]:
        """Give the failed events of one slice in order, with their position as OFFSET."""
        ids = plan.failed_ids[positions.start : positions.stop]
        stamps = plan.failed_tstamps[positions.start : positions.stop]
        rows = {row["failed_id"]: row for row in self.read_failed(ids, stamps)}
        return [{**rows[id_], OFFSET: position} for position, id_ in zip(positions, ids, strict=True) if id_ in rows]

    def read_failed(self, ids: Sequence[str], stamps: Sequence[datetime]) -> list[dict[str, Any]]:
        """Give whole rows of `failed_events`; their moments say in which files to look."""
        filters = [("failed_tstamp", ">=", min(stamps)), ("failed_tstamp", "<=", max(stamps)), ("failed_id", "in", ids)]
        rows: list[dict[str, Any]] = self._lake.read(FAILED_EVENTS.name, filters=filters).to_pylist()
        return rows

    def is_committed(self, plan: Plan, positions: range) -> bool:
        """Say whether all that became of a slice is in the lake."""
        return self._lake.committed(BATCHES.name, plan.log_id) >= positions[-1]

    def settle(self, plan: Plan, positions: range, events: pa.Table, failed: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Give what of a slice is still to be committed as what it came to, where a stop left it half in the lake.

        What it came to the first time stands, though schemas or enrichments may have changed since.
        """
        if self._lake.committed(EVENTS.name, plan.log_id) < positions[-1]:
            return events, failed
        held = self._lake.read(EVENTS.name, EVENTS.schema.names, [("etl_tstamp", "=", plan.moment(positions))])
        held = held.append_column(OFFSET, pa.array([positions[-1]] * held.num_rows, pa.int64()))
        ancestors = plan.failed_ids[positions.start : positions.stop]
        told = self._lake.read(FAILED_EVENTS.name, filters=[("ancestor_id", "in", ancestors)])
        if told.num_rows:
            place = {id_: position for position, id_ in zip(positions, ancestors, strict=True)}
            offsets = [place[id_] for id_ in told["ancestor_id"].to_pylist()]
            return held, told.select(FAILED_EVENTS.schema.names).append_column(OFFSET, pa.array(offsets, pa.int64()))
        left = Counter(held["event_id"].to_pylist())
        fresh, lost = _without(events, left), _without(failed, left)
        loaded = pa.repeat(pa.scalar(plan.moment(positions), LOAD_TSTAMP.type), fresh.num_rows)
        fresh = lay_out(EVENTS.name, fresh.append_column(LOAD_TSTAMP.name, loaded))
        if fresh.num_rows:
            self._lake.append(EVENTS.name, fresh)
        return pa.concat_tables([held, fresh.select(held.column_names)], promote_options="default"), lost

    def mark(self, plan: Plan, positions: range, now: datetime) -> None:
        """Write to the failed events of a slice that they were replayed, once it is committed."""
        if self._marked(plan) >= positions[-1]:
            return
        ids = plan.failed_ids[positions.start : positions.stop]
        source = pa.table({"failed_id": ids, "replayed_tstamp": pa.array([now] * len(ids), pa.timestamp("us", "UTC"))})
        done = CommitProperties(app_transactions=[Transaction(f"{plan.log_id}-marked", positions[-1])])
        for attempt in range(_TRIES):
            merge = self._lake.delta(FAILED_EVENTS.name).merge(
                source, "target.failed_id = source.failed_id",
                source_alias="source", target_alias="target", commit_properties=done,
            )  # fmt: skip
            try:
                merge.when_matched_update({"replayed_tstamp": "source.replayed_tstamp"}).execute()
            except CommitFailedError:
                if attempt + 1 == _TRIES:
                    raise
            else:
                return

    def _marked(self, plan: Plan) -> int:
        return self._lake.committed(FAILED_EVENTS.name, f"{plan.log_id}-marked")


def _is_of(uri: str | None, criteria: Sequence[Criterion]) -> bool:
    key = None if uri is None else SchemaKey.parse(uri)
    return key is not None and any(criterion.matches(key) for criterion in criteria)


def _without(rows: pa.Table, held: Counter[str]) -> pa.Table:
    """Give the rows whose event is not among those held, each of which accounts for one row."""
    kept = []
    for event_id in rows["event_id"].to_pylist():
        key = (event_id or "").lower()
        held[key] -= 1
        kept.append(held[key] < 0)
    return rows.filter(pa.array(kept, pa.bool_()))


def _two_at_once() -> LakeError:
    return LakeError(
        "Another replay was planned at the same moment.", hint="Run `catchment replay` again when it ended."
    )
