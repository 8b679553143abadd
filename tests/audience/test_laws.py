"""Laws: events and sequences mean what a plain loop over a person's events says; arms keep their shares for ever."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.audience import AudienceSettings
from catchment.audience.catalog import Catalog
from catchment.audience.compile import compile_audience
from catchment.audience.split import choose_arm, draw, stratified_arms

from .acme import NOW, TIME, ago, audience

PEOPLE = ["ann", "bob", "cem"]
BACKEND = ibis.duckdb.connect()


class Happened(NamedTuple):
    """One event of somebody."""

    person: str
    name: str
    at: datetime


EVENT = st.builds(
    Happened,
    st.sampled_from(PEOPLE),
    st.sampled_from("abc"),
    st.integers(0, 60).map(lambda hours: ago(hours / 8)),
)
EVENTS = st.lists(EVENT, max_size=14)


def found(where: dict[str, Any], events: list[Happened]) -> set[str]:
    rows = {
        "event_id": [str(number) for number in range(len(events))],
        "event_name": [event.name for event in events],
        "derived_tstamp": pa.array([event.at for event in events], TIME),
        "domain_userid": [event.person for event in events],
    }
    tables = {
        "people": ibis.memtable(pa.table({"person_id": PEOPLE})),
        "events": ibis.memtable(pa.table({name: pa.array(values) for name, values in rows.items()}).cast(SCHEMA)),
    }
    catalog = Catalog({name: lambda table=table: table for name, table in tables.items()}, AudienceSettings())
    return set(BACKEND.to_pyarrow(compile_audience(audience(where), catalog, NOW))["person_id"].to_pylist())


SCHEMA = pa.schema(
    [("event_id", pa.string()), ("event_name", pa.string()), ("derived_tstamp", TIME), ("domain_userid", pa.string())]
)


def of(person: str, events: list[Happened], name: str) -> list[datetime]:
    return [event.at for event in events if event.person == person and event.name == name]


@settings(max_examples=40)
@given(EVENTS, st.integers(0, 4), st.sampled_from([None, 1.0, 3.5]))
def test_events_are_counted_as_a_loop_counts_them(events: list[Happened], least: int, days: float | None) -> None:
    window = {} if days is None else {"within_last_days": days}
    since = NOW - timedelta(days=days or 999)
    expected = {who for who in PEOPLE if sum(at >= since for at in of(who, events, "a")) >= least}
    assert found({"event": "a", "count": {"gte": least}, **window}, events) == expected


STEPS = st.lists(st.sets(st.sampled_from("abc"), min_size=1, max_size=2), min_size=2, max_size=3)
"""Names of the events of each step: apart, or such that one event may be several steps."""


@settings(max_examples=80)
@given(EVENTS, STEPS, st.booleans(), st.sampled_from([0.25, 1.0, 4.0]))
def test_a_sequence_is_what_a_loop_finds(
    events: list[Happened], steps: list[set[str]], is_denied: bool, days: float
) -> None:
    window = timedelta(days=days)

    def happened(person: str, step: set[str]) -> list[datetime]:
        return [at for name in step for at in of(person, events, name)]

    def reached(person: str) -> bool:
        times = happened(person, steps[0])
        for step in steps[1:-1] if is_denied else steps[1:]:
            times = [at for at in happened(person, step) if any(before < at <= before + window for before in times)]
        last = happened(person, steps[-1])
        over = [at for at in times if at + window <= NOW]
        return any(not any(at < end <= at + window for end in last) for at in over) if is_denied else bool(times)

    named: list[dict[str, Any]] = [{"event": sorted(step)} for step in steps]
    where = {"sequence": [*named[:-1], {"not": named[-1]} if is_denied else named[-1]], "within_days": days}
    assert found(where, events) == {person for person in PEOPLE if reached(person)}


def test_a_person_never_changes_arm() -> None:
    assert [choose_arm("vip", f"p{number}", {"holdout": 0.1, "treatment": 0.9}) for number in range(6)] == [
        choose_arm("vip", f"p{number}", {"holdout": 0.1, "treatment": 0.9}) for number in range(6)
    ]
    # Written down once and for all: another hash would move people of running experiments.
    assert draw("vip", "p0") == pytest.approx(0.05677936100958554)


def test_a_larger_holdout_only_adds_people() -> None:
    people = [f"p{number}" for number in range(2000)]
    small, large = (
        {who for who in people if choose_arm("a", who, {"holdout": share, "treatment": 1 - share}) == "holdout"}
        for share in (0.1, 0.2)
    )
    assert small < large
    assert len(small) == pytest.approx(200, abs=45)


def test_the_draws_of_two_audiences_have_nothing_to_do_with_each_other() -> None:
    people = [f"p{number}" for number in range(4000)]
    both = sum(draw("a", who) < 0.5 and draw("b", who) < 0.5 for who in people)
    assert both == pytest.approx(1000, abs=120)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.sampled_from("xyz")), max_size=120, unique_by=lambda each: each[0]),
    st.sampled_from([(0.1, 0.9), (0.5, 0.5), (0.1, 0.45, 0.45)]),
    st.integers(0, 120),
)
def test_within_every_stratum_arms_keep_their_shares(
    people: list[tuple[int, str]], split: tuple[float, ...], first: int
) -> None:
    shares = {f"arm{number}": share for number, share in enumerate(split)}
    named = [(str(number), stratum) for number, stratum in people]
    early = stratified_arms("a", named[:first], shares, {})
    held: dict[Any, Counter[str]] = {}
    for person, stratum in named[:first]:
        held.setdefault(stratum, Counter())[early[person]] += 1
    arms = early | stratified_arms("a", named[first:], shares, held)
    for stratum in "xyz":
        inside = Counter(arms[person] for person, of_stratum in named if of_stratum == stratum)
        for arm, share in shares.items():
            assert abs(inside[arm] - share * sum(inside.values())) <= 1
