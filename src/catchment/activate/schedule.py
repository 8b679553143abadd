"""When a sync is due, from what was run so far: never by itself, at intervals, by cron, after a build or another sync.

However many times were missed, while nothing ran or a run took long, they are caught up once.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from croniter import croniter

from catchment.activate.definition import Sync

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Past(NamedTuple):
    """When a sync last started, and when what it waits for last ended well."""

    started_at: datetime | None = None
    build_ended_at: datetime | None = None
    other_ended_at: datetime | None = None


class Due(NamedTuple):
    """Whether a sync is due, since when, whether that is too long ago, and when it will be due next."""

    is_due: bool
    since: datetime | None = None
    is_overdue: bool = False
    next_at: datetime | None = None


def when_due(sync: Sync, past: Past, now: datetime) -> Due:
    """Say whether a sync is due now."""
    schedule = sync.schedule
    if schedule.manual:
        return Due(False)
    if schedule.every is not None:
        return _at(sync, None if past.started_at is None else past.started_at + span(schedule.every), now)
    if schedule.cron is not None:
        return _at(sync, _next_fire(schedule.cron, past.started_at, now), now)
    if schedule.after is not None:
        ended = past.build_ended_at if schedule.after == "build" else past.other_ended_at
        if ended is None or (past.started_at is not None and past.started_at >= ended):
            return Due(False)
        return _at(sync, min(ended, now), now)
    return Due(True)


def span(text: str) -> timedelta:
    """Read a span such as 15m, 6h or 1d."""
    return timedelta(**{UNITS[text[-1]]: int(text[:-1])})


def _next_fire(cron: str, started_at: datetime | None, now: datetime) -> datetime:
    """Give the first time after the last start, or the last time before now where it never started."""
    if started_at is None:
        return _utc(croniter(cron, now + timedelta(seconds=1)).get_prev(datetime))
    return _utc(croniter(cron, started_at).get_next(datetime))


def _at(sync: Sync, due_at: datetime | None, now: datetime) -> Due:
    if due_at is None:
        return Due(True)
    if due_at > now:
        return Due(False, next_at=due_at)
    return Due(True, since=due_at, is_overdue=now - due_at > span(sync.alerts.overdue))


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
