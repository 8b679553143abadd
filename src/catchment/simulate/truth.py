"""The true probability of each visitor: what the best possible model could know when the first visit ends.

The logit is computed from the first visit as the warehouse measures it, never from the hidden intent: intent has done
its work by shaping that visit. Whether the visitor converts later is then drawn with exactly this probability.
"""

import csv
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from catchment.simulate.journey import HEARTBEAT_MS, LINK_CLICK, MIN_VISIT_LENGTH_MS, Visit
from catchment.simulate.population import Visitor

HORIZON_DAYS = 14
COLUMNS = ("domain_userid", "true_probability", "label", "converted_before", "first_session_end")

BASE = -5.6
ENGAGED = 0.95
ENGAGED_ON_MOBILE = 0.60
LINK_CLICKS = 0.35
CORE_COUNTRY = 0.55
CHANNEL = {
    "organic_search": 0.0,
    "direct": 0.2,
    "referral": 1.0,
    "organic_social": -0.9,
    "paid_search": 1.1,
    "paid_social": 0.1,
    "display": -1.2,
    "email": 0.8,
}
FIRST_PAGE = {"pricing": 1.3, "product": 0.7, "webinar": 0.5, "white-papers": 0.3, "docs": -0.2, "blog": -1.0}


class Observed(NamedTuple):
    """What the first visit shows to everybody."""

    engaged_time_s: int
    link_clicks: int
    channel: str
    first_page: str
    is_desktop: bool
    is_core_country: bool


class Outcome(NamedTuple):
    """One row of the truth; `label` is what can be seen of it by now."""

    domain_userid: str
    true_probability: float
    label: int
    converted_before: int
    first_session_end: datetime


def observe(visitor: Visitor, visit: Visit) -> Observed:
    """Measure a visit as the models do: engaged time counts ten-second buckets of the device's own clock."""
    buckets = {
        (moment.view.page_view_id, (moment.at_ms + visitor.clock_skew_ms) // HEARTBEAT_MS)
        for moment in visit.moments
        if moment.kind == "pp"
    }
    views = {page_view_id for page_view_id, _ in buckets}
    return Observed(
        engaged_time_s=(HEARTBEAT_MS * (len(buckets) - len(views)) + MIN_VISIT_LENGTH_MS * len(views)) // 1000,
        link_clicks=sum(moment.schema == LINK_CLICK for moment in visit.moments),
        channel=visit.channel.name,
        first_page=visit.moments[0].view.page.path.split("/")[1],
        is_desktop=visitor.device.category == "Desktop",
        is_core_country=visitor.place.core,
    )


def true_probability(observed: Observed) -> float:
    """Give the probability of a first conversion within the horizon after this visit."""
    attention = math.log1p(observed.engaged_time_s / 20)
    logit = (
        BASE
        + (ENGAGED if observed.is_desktop else ENGAGED_ON_MOBILE) * attention
        + LINK_CLICKS * min(observed.link_clicks, 3)
        + CORE_COUNTRY * observed.is_core_country
        + CHANNEL[observed.channel]
        + FIRST_PAGE.get(observed.first_page, 0.0)
    )
    return 1 / (1 + math.exp(-logit))


def write_truth(path: Path, outcomes: Iterable[Outcome]) -> None:
    """Write the truth to a file of its own; the pipeline never reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for outcome in outcomes:
            end = outcome.first_session_end.isoformat()
            writer.writerow((*outcome[:1], f"{outcome.true_probability:.6f}", *outcome[2:4], end))


def to_datetime(at_ms: int) -> datetime:
    """Give the moment as a UTC timestamp."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
