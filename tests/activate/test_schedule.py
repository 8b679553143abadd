"""When a sync is due: at every run, never by itself, at intervals, by cron, after a build or another sync."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catchment.activate.definition import Sync, parse_sync
from catchment.activate.schedule import Past, when_due
from catchment.errors import DefinitionError

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def declared(**schedule: Any) -> Sync:
    content = {"name": "s", "destination": "d", "model": "people", "identifiers": {"id": "person_id"}}
    return parse_sync({**content, "schedule": schedule}, "syncs/s.yml")


def test_without_a_schedule_it_is_due_at_every_run_and_a_manual_one_never() -> None:
    assert when_due(declared(), Past(NOON), NOON).is_due
    assert not when_due(declared(manual=True), Past(), NOON).is_due


def test_an_interval_counts_from_the_last_start() -> None:
    sync = declared(every="6h")
    assert when_due(sync, Past(), NOON).is_due
    early = when_due(sync, Past(NOON - 5 * HOUR), NOON)
    assert (early.is_due, early.next_at) == (False, NOON + HOUR)
    assert when_due(sync, Past(NOON - 6 * HOUR), NOON).is_due


def test_cron_is_in_utc_and_missed_times_are_caught_up_once() -> None:
    sync = declared(cron="0 6 * * *")
    assert not when_due(sync, Past(NOON - 5 * HOUR), NOON).is_due
    missed = when_due(sync, Past(NOON - timedelta(days=9)), NOON)
    assert (missed.is_due, missed.since) == (True, NOON - timedelta(days=8, hours=6))
    assert not when_due(sync, Past(NOON), NOON + HOUR).is_due
    assert when_due(sync, Past(), NOON).since == NOON - 6 * HOUR


@given(st.integers(1, 10_000), st.sampled_from(["*/15 * * * *", "0 6 * * 1-5", "30 2 1 * *"]))
def test_however_long_nothing_ran_one_run_is_enough(minutes: int, cron: str) -> None:
    sync, later = declared(cron=cron), NOON + timedelta(minutes=minutes)
    if when_due(sync, Past(NOON), later).is_due:
        assert not when_due(sync, Past(later), later).is_due


def test_after_a_build_or_another_sync_it_is_due_once() -> None:
    for sync, past in (
        (declared(after="build"), Past(NOON, build_ended_at=NOON + HOUR)),
        (declared(after="other"), Past(NOON, other_ended_at=NOON + HOUR)),
    ):
        assert when_due(sync, past, NOON + 2 * HOUR).is_due
        assert not when_due(sync, past._replace(started_at=NOON + HOUR), NOON + 2 * HOUR).is_due
        assert not when_due(sync, Past(), NOON).is_due


def test_what_was_due_too_long_ago_is_overdue() -> None:
    sync = declared(every="1h")
    assert not when_due(sync, Past(NOON - 24 * HOUR), NOON).is_overdue
    assert when_due(sync, Past(NOON - 26 * HOUR), NOON).is_overdue


@pytest.mark.parametrize("schedule", [{"every": "6 hours"}, {"cron": "every day"}, {"every": "1h", "manual": True}])
def test_a_schedule_that_cannot_be_is_refused_with_its_place(schedule: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError, match="schedule"):
        declared(**schedule)
