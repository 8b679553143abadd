"""Let visitors come: their events to the collector, the truth about them to a file that the pipeline never reads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from catchment.simulate.business import Lead, Spend, write_leads
from catchment.simulate.deliver import deliver
from catchment.simulate.journey import DAY_MS, Visit, draw_first_plan, draw_return_plans, draw_visit
from catchment.simulate.payloads import Delivery, draw_deliveries
from catchment.simulate.population import Visitor, draw_visitor
from catchment.simulate.truth import HORIZON_DAYS, Outcome, observe, to_datetime, true_probability, write_truth

TRUTH_FILE = ".catchment/simulation/truth.csv"
SPEND_FILE = "data/ad_spend.csv"
LEADS_FILE = "data/crm_leads.csv"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SimulationReport:
    """What was sent, all of it taken by the collector; `copies` counts the events that were sent a second time."""

    visitors: int
    payloads: int
    events: int
    broken: int
    copies: int
    conversions: int


@dataclass(frozen=True)
class Life:
    """One visitor, what was done, and the truth about it."""

    visitor: Visitor
    visits: list[Visit]
    outcome: Outcome

    @property
    def converted_at_ms(self) -> int | None:
        """Give the first conversion, None without one."""
        moments = [visit.converted_at_ms for visit in self.visits if visit.converted_at_ms is not None]
        return min(moments, default=None)


def simulate(
    visitors: int, seed: int, collector_url: str, folder: Path, *, now: datetime, progress: Progress | None = None
) -> SimulationReport:
    """Send the last 60 days of `visitors` to the collector, and write spend, leads and truth into the project.

    The same seed and `now` send the same events.
    """
    lives = [draw_life(seed, number, now) for number in range(visitors)]
    sent = list(deliver(_put_on_the_wire(lives, seed, progress), collector_url))
    leads = _write_business(lives, folder, seed)
    write_truth(folder / TRUTH_FILE, (life.outcome for life in lives if not life.visitor.is_bot))
    return SimulationReport(
        visitors=visitors,
        payloads=len(sent),
        events=sum(delivery.events for delivery in sent),
        broken=sum(delivery.broken for delivery in sent),
        copies=sum(delivery.copies for delivery in sent),
        conversions=leads,
    )


def visit(domain_userid: str, collector_url: str, *, now: datetime, seed: int) -> int:
    """Let one visitor come once more, just now, with intent; give the number of events sent."""
    rng = Random(f"{seed}/{domain_userid}")
    visitor = draw_visitor(rng)._replace(domain_userid=domain_userid, intent=1.5, is_bot=False, clock_skew_ms=0)
    plan = draw_first_plan(rng, visitor, _to_ms(now))._replace(number=99, starts_at_ms=_to_ms(now), converts=False)
    again = draw_visit(rng, visitor, plan)
    return sum(delivery.events for delivery in deliver(draw_deliveries(rng, visitor, [again]), collector_url))


def draw_life(seed: int, number: int, now: datetime) -> Life:
    """Draw one visitor with all visits up to `now`, and what can be known of the outcome by then."""
    rng = Random(f"{seed}/{number}")
    now_ms = _to_ms(now)
    visitor = draw_visitor(rng)
    first = draw_visit(rng, visitor, draw_first_plan(rng, visitor, now_ms))
    probability = true_probability(observe(visitor, first))
    converts = not visitor.is_bot and first.converted_at_ms is None and rng.random() < probability
    plans = draw_return_plans(rng, visitor, first, converts, now_ms)
    visits = [first, *(draw_visit(rng, visitor, plan) for plan in plans)]
    horizon_ends = first.ended_at_ms + HORIZON_DAYS * DAY_MS
    later = [visit.converted_at_ms for visit in visits[1:] if visit.converted_at_ms is not None]
    outcome = Outcome(
        domain_userid=visitor.domain_userid,
        true_probability=probability,
        label=int(any(moment <= horizon_ends for moment in later)),
        converted_before=int(first.converted_at_ms is not None),
        first_session_end=to_datetime(first.ended_at_ms),
    )
    return Life(visitor, visits, outcome)


def _put_on_the_wire(lives: list[Life], seed: int, progress: Progress | None) -> Iterator[Delivery]:
    for number, life in enumerate(lives):
        yield from draw_deliveries(Random(f"{seed}/{number}/wire"), life.visitor, life.visits)
        if progress is not None:
            progress(number + 1, len(lives))


def _write_business(lives: list[Life], folder: Path, seed: int) -> int:
    spend = Spend()
    leads = []
    for life in lives:
        spend.add(life.visits)
        if life.converted_at_ms is not None:
            leads.append(Lead(life.visitor, life.converted_at_ms))
    spend.write(folder / SPEND_FILE)
    write_leads(folder / LEADS_FILE, leads, Random(f"{seed}/sales"))
    return len(leads)


def _to_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
