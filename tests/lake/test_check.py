from datetime import UTC, datetime
from pathlib import Path

import pytest

from catchment.lake.batch import Outcome, commit_batch
from catchment.lake.check import check
from catchment.lake.lake import Lake
from catchment.tables import BATCHES
from tests.lake.test_batch import LOG, slice_of

MOMENTS = [datetime(2026, 11, 1, minute=minute, tzinfo=UTC) for minute in range(3)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    for number, moment in enumerate(MOMENTS):
        payloads, events, failed = slice_of(10 * number + 1, 10 * number + 10)
        commit_batch(lake, LOG, payloads, Outcome(events, failed), now=moment)
    return lake


def wrong(lake: Lake) -> dict[str, str]:
    return {balance.check: balance.note for balance in check(lake) if not balance.ok}


def test_a_lake_that_holds_what_the_log_gave_adds_up(lake: Lake) -> None:
    balances = check(lake)
    assert all(balance.ok for balance in balances)
    assert {balance.check: balance.found for balance in balances[:3]} == {
        "batches: received = events + failed + suppressed": 60,
        "events": 54,
        "failed events": 6,
    }


def test_an_empty_lake_adds_up(tmp_path: Path) -> None:
    assert all(balance.ok for balance in check(Lake(str(tmp_path))))


def test_one_missing_event_is_found_and_its_batch_named(lake: Lake) -> None:
    lake.delta("events").delete("event_id = 'e12-0'")
    found = wrong(lake)
    assert found["events"] == "1 missing"
    assert found["event ids: sum of digests"] == f"ids differ in {LOG} 11-20"


def test_an_event_in_the_place_of_another_is_found_though_the_count_is_right(lake: Lake) -> None:
    lake.delta("events").update(updates={"event_id": "'another'"}, predicate="event_id = 'e25-0'")
    assert wrong(lake) == {"event ids: sum of digests": f"ids differ in {LOG} 21-30"}


def test_a_doubled_event_is_found(lake: Lake) -> None:
    rows = lake.read("events", filters=[("event_id", "=", "e3-0")])
    lake.append("events", rows)
    assert wrong(lake)["events"] == "1 too many"


def test_a_missing_failed_event_is_found(lake: Lake) -> None:
    lake.delta("failed_events").delete("failed_id = 'f5-1'")
    assert wrong(lake) == {"failed events": "1 missing"}


def test_a_batch_that_does_not_add_up_is_named(lake: Lake) -> None:
    lake.delta(BATCHES.name).update(updates={"received": "21"}, predicate="last_offset = 20")
    assert wrong(lake) == {"batches: received = events + failed + suppressed": f"{LOG} 11-20"}


def test_a_batch_repeated_after_a_crash_still_adds_up(lake: Lake) -> None:
    payloads, events, failed = slice_of(31, 40)
    lake.append("events", events, app_id=LOG, offset=40)
    commit_batch(lake, LOG, payloads, Outcome(events, failed))
    assert all(balance.ok for balance in check(lake))
