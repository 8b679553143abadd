"""Events that happened before their person was forgotten, and arrive after: they are counted, and written nowhere.

A tracker keeps what it could not send, for days on a phone, and an imported file holds the past. Only the past is
suppressed: what the same browser does after the erasure is the beginning of somebody new.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from catchment.lake.batch import Outcome
from catchment.tables import OFFSET

IDS = ("domain_userid", "user_id", "network_userid")
"""The columns of an event that say whose it is."""


class Mark(Protocol):
    """The keyed hash under which an erasure names an identifier."""

    def __call__(self, value: str, /) -> str:
        """Give the hash of one identifier."""


class Suppression(NamedTuple):
    """When each identifier was last erased, by its mark."""

    mark: Mark
    erased: Mapping[str, datetime]

    def apply(self, events: pa.Table, failed: pa.Table) -> Outcome:
        """Take out what tells of the time before an erasure."""
        if not self.erased:
            return Outcome(events, failed)
        late, bad = self._late_events(events), self._late_failures(failed)
        gone = [table.filter(mask)[OFFSET].combine_chunks() for table, mask in ((events, late), (failed, bad))]
        suppressed = pa.concat_arrays([offsets.cast(pa.int64()) for offsets in gone])
        return Outcome(events.filter(pc.invert(late)), failed.filter(pc.invert(bad)), suppressed)

    def _late_events(self, events: pa.Table) -> pa.Array:
        mask = pa.array([False] * events.num_rows, pa.bool_())
        for name in IDS:
            erased = self._erased_at(events[name].combine_chunks(), events.schema.field("derived_tstamp").type)
            late = pc.less_equal(events["derived_tstamp"], erased)
            mask = pc.or_(mask, pc.fill_null(late, False))
        return mask.combine_chunks() if isinstance(mask, pa.ChunkedArray) else mask

    def _erased_at(self, values: pa.Array, stamp: pa.DataType) -> pa.Array:
        coded = values.dictionary_encode()
        moments = [self._moment(value) for value in coded.dictionary.to_pylist()]
        return pa.array(moments, stamp).take(coded.indices)

    def _moment(self, value: str | None) -> datetime | None:
        return None if value is None else self.erased.get(self.mark(value))

    def _late_failures(self, failed: pa.Table) -> pa.Array:
        rows = failed.select(["original", "collector_tstamp"]).to_pylist()
        return pa.array([self._is_late(row["original"], row["collector_tstamp"]) for row in rows], pa.bool_())

    def _is_late(self, original: str, collected: datetime) -> bool:
        content = orjson.loads(original)
        happened = _happened(content.get("parameters") or {}, collected)
        moments = (self._moment(text) for text in _texts(content))
        return any(moment is not None and happened <= moment for moment in moments)


def _happened(parameters: Mapping[str, Any], collected: datetime) -> datetime:
    """Correct the device's clock by the moment it said it sent at; without both it happened when it came."""
    try:
        waited = timedelta(milliseconds=int(parameters["stm"]) - int(parameters["dtm"]))
        return collected - waited
    except (KeyError, TypeError, ValueError, OverflowError):
        return collected.astimezone(UTC)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)
