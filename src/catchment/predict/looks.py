"""Who is looked at, and when: every look is one person at one moment."""

from datetime import datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa

from catchment.event import TIMESTAMP
from catchment.predict.behaviour import MOMENT, PERSON, TIMESTAMP_TYPE, Times
from catchment.predict.definition import Prediction


def looks_to_learn(prediction: Prediction, events: Any, clock: datetime, times: Times) -> Any:
    """Give the looks whose horizon has passed by `clock`: their outcome is known."""
    if prediction.who == "first_touch":
        looks = _first_visits(prediction, events)
        settled = ibis.literal(clock - timedelta(days=prediction.horizon), TIMESTAMP_TYPE)
        return looks.filter(looks[MOMENT] <= settled)
    count = 1 if prediction.kind == "lookalike" else prediction.observe.history_days // prediction.observe.every_days
    last = clock - timedelta(days=prediction.horizon)
    moments = [last - timedelta(days=prediction.observe.every_days * number) for number in range(max(1, count))]
    return _at_moments(prediction, events, [moment for moment in moments if moment <= times.last_event])


def looks_to_score(prediction: Prediction, events: Any, now: datetime) -> Any:
    """Give one look per person: after the first visit, or now."""
    if prediction.who == "people":
        return _at_moments(prediction, events, [now])
    looks = _first_visits(prediction, events)
    return looks.mutate(**{MOMENT: ibis.least(looks[MOMENT], ibis.literal(now, TIMESTAMP_TYPE))})


def _first_visits(prediction: Prediction, events: Any) -> Any:
    """Give each person a while after the first visit, which is that of the earliest event."""
    own = events.filter(events.cookie == events[PERSON])
    visits = own.group_by([PERSON, "domain_sessionid"]).agg(
        began=own.derived_tstamp.min(), ended=own.derived_tstamp.max()
    )
    order = ibis.window(group_by=visits[PERSON], order_by=[visits.began, visits.domain_sessionid])
    visits = visits.mutate(place=ibis.row_number().over(order))
    first = visits.filter(visits.place == 0)
    after = ibis.interval(minutes=prediction.observe.delay_minutes)
    return first.select(PERSON, session=first.domain_sessionid, **{MOMENT: first.ended + after})


def _at_moments(prediction: Prediction, events: Any, moments: list[datetime]) -> Any:
    """Give everybody at each of the moments who was visible by then."""
    grid = ibis.memtable(pa.table({MOMENT: pa.array(moments, TIMESTAMP)}))
    people = events.group_by(PERSON).agg(since=events.visible.min())
    looks = people.cross_join(grid)
    looks = looks.filter(looks.since <= looks[MOMENT])
    return looks.select(PERSON, MOMENT, session=ibis.null(str))
