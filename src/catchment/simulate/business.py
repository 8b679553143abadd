"""What other systems know of the same visitors: the advertising accounts' spend and the CRM's leads, as CSV files."""

import csv
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from catchment.simulate.journey import Visit
from catchment.simulate.population import Visitor
from catchment.simulate.site import Channel
from catchment.simulate.truth import to_datetime

CLICKS_PER_VISIT = 1.15
"""More clicks are paid for than visits arrive: some never load the page."""

CLICK_RATE = {"cpc": 0.04, "paid_social": 0.009, "display": 0.003}
PLATFORMS = {"facebook": "meta"}
"""Where the account is named otherwise than the utm_source of its visitors."""

CURRENCY = "EUR"


class Lead(NamedTuple):
    """One converted visitor as sales sees it."""

    visitor: Visitor
    converted_at_ms: int


class Spend:
    """Visits from paid channels by day, while they add up."""

    def __init__(self) -> None:
        self._visits: Counter[tuple[date, Channel, str]] = Counter()

    def add(self, visits: Iterable[Visit]) -> None:
        """Count the visits that were paid for."""
        for visit in visits:
            if visit.channel.cost_per_click:
                self._visits[to_datetime(visit.started_at_ms).date(), visit.channel, visit.campaign] += 1

    def write(self, path: Path) -> None:
        """Write one row for each day and campaign that had a visit."""
        rows = []
        for (day, channel, campaign), visits in sorted(self._visits.items(), key=lambda item: (item[0][0], item[0][2])):
            clicks = round(visits * CLICKS_PER_VISIT + 0.5)
            shown = round(clicks / CLICK_RATE[channel.medium])
            spend = round(clicks * channel.cost_per_click, 2)
            platform = PLATFORMS.get(channel.source, channel.source)
            rows.append((day.isoformat(), platform, campaign, shown, clicks, spend, CURRENCY))
        _write(path, ("date", "platform", "campaign", "impressions", "clicks", "spend", "currency"), rows)


def write_leads(path: Path, leads: Iterable[Lead], rng: Random) -> None:
    """Write what became of each lead: the more a visitor wanted, the likelier sales agrees."""
    rows = []
    for number, lead in enumerate(leads):
        stage, days = _stage(rng, lead.visitor.intent)
        contact = lead.visitor.contact
        amount = contact.company_size * 12.0 if stage in ("opportunity", "won") else ""
        moment = (to_datetime(lead.converted_at_ms) + timedelta(days=days)).isoformat()
        rows.append((f"L-{number + 1:06d}", contact.user_id, contact.email, stage, moment, amount, CURRENCY))
    _write(path, ("lead_id", "user_id", "email", "stage", "stage_tstamp", "amount", "currency"), rows)


def _stage(rng: Random, intent: float) -> tuple[str, int]:
    luck = rng.gauss(0.3 * intent, 1.0)
    if luck < -0.4:
        return "disqualified", rng.randint(0, 1)
    if luck < 0.3:
        return "new", 0
    if luck < 1.0:
        return "sales_qualified", rng.randint(0, 2)
    return ("won", rng.randint(2, 6)) if luck > 1.8 else ("opportunity", rng.randint(1, 4))


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
