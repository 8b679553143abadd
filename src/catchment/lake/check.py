"""Conservation: what the log gave is what stands in the lake, to the id, but for what was erased on purpose."""

from typing import NamedTuple

import pyarrow as pa

from catchment.lake.batch import DIGEST_LIMIT, digest_ids
from catchment.lake.lake import Lake
from catchment.tables import BATCHES, ERASURES, EVENTS, FAILED_EVENTS

COUNTS = ("received", "events", "failed", "suppressed")


class Balance(NamedTuple):
    """One thing that must add up; `note` says where to look when it does not."""

    check: str
    expected: int
    found: int
    erased: int
    ok: bool
    note: str = ""


def check(lake: Lake) -> list[Balance]:
    """Compare every batch with itself, and all batches with the tables; reads one column of all events."""
    batches = lake.read(BATCHES.name)
    ids = _Ids(lake)
    erased = _erased(lake)
    expected = {name: _sum(batches, name) for name in (*COUNTS, "event_ids")}
    failed = lake.count(FAILED_EVENTS.name)
    torn = [
        f"{row['log_id']} {row['first_offset']}-{row['last_offset']}"
        for row in batches.to_pylist()
        if row["received"] != row["events"] + row["failed"] + (row.get("suppressed") or 0)
    ]
    received = expected["received"]
    balances = [
        Balance(
            "batches: received = events + failed + suppressed", received, received, 0, not torn, ", ".join(torn[:5])
        ),
        _balance("events", expected["events"], ids.count, erased[EVENTS.name]),
        _balance("failed events", expected["failed"], failed, erased[FAILED_EVENTS.name]),
    ]
    if batches.num_rows and batches["event_ids"].null_count == 0:
        found = (ids.digest + erased["event_ids"]) % DIGEST_LIMIT
        is_same = found == expected["event_ids"] % DIGEST_LIMIT
        note = "" if is_same else f"ids differ in {ids.name_missing(batches)}"
        balances.append(
            Balance("event ids: sum of digests", expected["event_ids"] % DIGEST_LIMIT, found, 0, is_same, note)
        )
    return balances


class _Ids:
    """The ids that stand in the lake: how many, their digest, and both by the moment of their batch."""

    def __init__(self, lake: Lake) -> None:
        self.count = self.digest = 0
        self._by_batch: dict[object, int] = {}
        if not lake.exists(EVENTS.name):
            return
        data = lake.delta(EVENTS.name).to_pyarrow_dataset()
        for part in data.to_batches(columns=["event_id", "load_tstamp"]):
            groups = pa.Table.from_batches([part]).group_by("load_tstamp").aggregate([("event_id", "list")])
            for moment, ids in zip(groups["load_tstamp"].to_pylist(), groups["event_id_list"].to_pylist(), strict=True):
                self._by_batch[moment] = (self._by_batch.get(moment, 0) + digest_ids(ids)) % DIGEST_LIMIT
            self.count += part.num_rows
        self.digest = sum(self._by_batch.values()) % DIGEST_LIMIT

    def name_missing(self, batches: pa.Table) -> str:
        """Name the batches whose ids are not those that stand in the lake."""
        missing = [
            f"{row['log_id']} {row['first_offset']}-{row['last_offset']}"
            for row in batches.to_pylist()
            if self._by_batch.get(row["committed_at"], 0) != row["event_ids"]
        ]
        return ", ".join(missing[:5]) + (f" and {len(missing) - 5} more batches" if len(missing) > 5 else "")


def _balance(name: str, expected: int, found: int, erased: int) -> Balance:
    missing = expected - erased - found
    note = f"{missing:,} missing" if missing > 0 else f"{-missing:,} too many" if missing < 0 else ""
    return Balance(name, expected, found, erased, missing == 0, note)


def _erased(lake: Lake) -> dict[str, int]:
    erasures = lake.read(ERASURES.name, ["table", "rows", "event_ids"]).to_pylist()
    rows = {
        name: sum(row["rows"] for row in erasures if row["table"] == name) for name in (EVENTS.name, FAILED_EVENTS.name)
    }
    return {**rows, "event_ids": sum(row["event_ids"] or 0 for row in erasures)}


def _sum(batches: pa.Table, name: str) -> int:
    return sum(value or 0 for value in batches[name].to_pylist()) if name in batches.column_names else 0
