"""Two pipelines beside each other: which events each has, and in which columns they tell the same event differently."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catchment.event import LOAD_TSTAMP
from catchment.lake.lake import Lake
from catchment.lake.rows import Rows
from catchment.tables import CLUSTER_KEY, COLLECTOR_DATE, EVENTS, FAILED_EVENTS, OFFSET

OWN = ("collector_tstamp", "etl_tstamp", "v_collector", "v_etl", "network_userid", LOAD_TSTAMP.name)
"""Columns that each pipeline fills by itself, so that they differ by nature."""

APART = timedelta(days=1)
"""So far apart the two may have received the same event, as a tracker tries again each on its own."""

_EXAMPLE = 60


@dataclass(frozen=True)
class Compared:
    """One thing that was compared, and of how many events it holds; `example` names one."""

    what: str
    events: int
    example: str = ""


class Comparison:
    """Events of another pipeline, part by part, beside those of the lake with the same `event_id`.

    Holds the ids of all events that were compared, and one part with what the lake has of it.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._theirs: set[str] = set()
        self._both = self._failed_here = 0
        self._only_there: list[str] = []
        self._differ: dict[str, int] = {}
        self._examples: dict[str, str] = {}
        self._first: datetime | None = None
        self._last: datetime | None = None

    def add(self, theirs: pa.Table) -> None:
        """Compare some of their events; an id that came before is not looked at again."""
        firsts = {id_: row for row, id_ in reversed(list(enumerate(theirs["event_id"].to_pylist())))}
        fresh = sorted(row for id_, row in firsts.items() if id_ not in self._theirs)
        self._theirs |= firsts.keys()
        theirs = theirs.take(pa.array(fresh, pa.int64()))
        if not theirs.num_rows:
            return
        bounds = pc.min_max(theirs["collector_tstamp"]).as_py()
        self._first = min(bounds["min"], self._first or bounds["min"])
        self._last = max(bounds["max"], self._last or bounds["max"])
        ours = self._ours(theirs["event_id"].combine_chunks(), bounds)
        places = {id_: row for row, id_ in enumerate(ours["event_id"].to_pylist())}
        ids = theirs["event_id"].to_pylist()
        pairs = [(row, places[id_]) for row, id_ in enumerate(ids) if id_ in places]
        self._miss([id_ for id_ in ids if id_ not in places])
        self._both += len(pairs)
        there, here = (
            pa.array(rows, pa.int64()) for rows in ([pair[0] for pair in pairs], [pair[1] for pair in pairs])
        )
        self._compare(theirs.take(there), ours.take(here))

    def rows(self) -> list[Compared]:
        """Give what was found: who has which events, and the columns that differ, most often first."""
        here = self._only_here()
        missing = len(self._only_there)
        counts = [
            Compared("events in both", self._both),
            Compared("only there", missing, ", ".join(self._only_there[:1])),
            Compared("of these failed here", self._failed_here, "catchment trace tells why" * bool(self._failed_here)),
            Compared("only here, received meanwhile", len(here), ", ".join(here[:1])),
        ]
        ordered = sorted(self._differ.items(), key=lambda item: (-item[1], item[0]))
        return [*counts, *(Compared(f"differ in {name}", count, self._examples[name]) for name, count in ordered)]

    def _ours(self, ids: pa.Array, bounds: dict[str, datetime]) -> pa.Table:
        if not self._lake.exists(EVENTS.name):
            return EVENTS.schema.empty_table()
        chosen = self._within(bounds["min"] - APART, bounds["max"] + APART) & pc.field("event_id").isin(ids)
        return Rows.of(self._lake.delta(EVENTS.name)).scanner(filter=chosen).to_table()

    def _within(self, first: datetime, last: datetime) -> pc.Expression:
        days = (pc.field(COLLECTOR_DATE) >= first.date()) & (pc.field(COLLECTOR_DATE) <= last.date())
        return days & (pc.field("collector_tstamp") >= first) & (pc.field("collector_tstamp") <= last)

    def _miss(self, ids: list[str]) -> None:
        self._only_there += ids
        if ids and self._lake.exists(FAILED_EVENTS.name):
            failed = Rows.of(self._lake.delta(FAILED_EVENTS.name))
            found = failed.scanner(["event_id"], filter=pc.field("event_id").isin(ids)).to_table()
            self._failed_here += len(set(found["event_id"].to_pylist()))

    def _only_here(self) -> list[str]:
        if self._first is None or self._last is None or not self._lake.exists(EVENTS.name):
            return []
        data = self._lake.delta(EVENTS.name).to_pyarrow_dataset()
        ids = data.to_table(columns=["event_id"], filter=self._within(self._first, self._last))["event_id"].to_pylist()
        return sorted({id_ for id_ in ids if id_ not in self._theirs})

    def _compare(self, theirs: pa.Table, ours: pa.Table) -> None:
        told = dict.fromkeys((*theirs.column_names, *ours.column_names))
        for name in (name for name in told if name not in (*OWN, CLUSTER_KEY, COLLECTOR_DATE, OFFSET)):
            there, here = _values(theirs, name), _values(ours, name)
            rows = [row for row in range(len(there)) if there[row] != here[row]]
            if rows:
                self._differ[name] = self._differ.get(name, 0) + len(rows)
                id_ = theirs["event_id"][rows[0]].as_py()
                self._examples.setdefault(name, f"{id_}: {_beside(there[rows[0]], here[rows[0]])}")


def _values(table: pa.Table, name: str) -> list[Any]:
    if name not in table.column_names:
        return [None] * table.num_rows
    column = table[name]
    if pa.types.is_timestamp(column.type):  # a line of TSV tells milliseconds
        column = pc.floor_temporal(column, unit="millisecond")
    return [_told(value) for value in column.to_pylist()]


def _told(value: Any) -> Any:
    """Leave out what is null at any depth: a schema that knows more fields tells nothing else by that."""
    match value:
        case dict():
            told = {name: _told(item) for name, item in value.items()}
            return {name: item for name, item in told.items() if item is not None} or None
        case list():
            return [_told(item) for item in value] or None
        case _:
            return value


def _beside(there: Any, here: Any) -> str:
    """Put two values beside each other, long ones from shortly before where they part."""
    texts = [value.isoformat() if isinstance(value, datetime) else repr(value) for value in (there, here)]
    same = next((n for n, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), 0)
    start = 0 if max(map(len, texts)) <= _EXAMPLE else max(0, same - _EXAMPLE // 3)
    there, here = (f"{'…' * (start > 0)}{text[start : start + _EXAMPLE]}" for text in texts)
    return f"there {there}, here {here}"
