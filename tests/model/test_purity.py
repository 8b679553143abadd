"""The derived tables are a function of the events alone: of no batch, order, lateness or repetition."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.model.plan import merged_models
from tests.model.conftest import START, Built, append_and_build, at, empty_project, event

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of dbt's own libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # dbt leaves its log file open
]
DAY = 86_400
IDENTITY = (
    "identity_edges", "identity_identifiers", "identity_history", "identity_merges", "identity_conflicts"
)  # fmt: skip
SETTINGS: dict[str, Any] = {
    "conversions": [{"name": "signed_up", "condition": "event_name = 'sign_up'", "value": "se_value"}],
    "traits": {
        "email": "contexts_com_acme_user_1.email",
        "medium": {"sources": "mkt_medium", "keep": "most_frequent"},
        "title": {"sources": "page_title", "keep": "first"},
        "origin": {"sources": ["mkt_medium", "page_title"], "keep": "source"},
    },
}
NAMES = ["page_view", "page_view", "page_ping", "page_ping", "link_click", "sign_up"]


def draw_history(chance: Random, visitors: int) -> list[dict[str, Any]]:
    """Draw visitors who come again, log in, share devices, lose cookies, keep tabs open, and repeat themselves."""
    events: list[dict[str, Any]] = []
    for visitor in range(visitors):
        for session in range(chance.randint(1, 3)):
            begin = chance.randint(0, 9 * DAY)
            user = chance.choice([None, None, f"u{chance.randint(0, visitors // 2)}"])
            for _ in range(chance.randint(1, 4)):
                events.append(draw_event(chance, len(events), f"v{visitor}", f"v{visitor}-{session}", begin, user))
    return events + [dict(row) for row in chance.sample(events, len(events) // 5)] + copies(chance, events)


def draw_event(chance: Random, number: int, cookie: str, session: str, begin: int, user: str | None) -> dict[str, Any]:
    seconds = begin + chance.choice([0, 3, 7, 12, 31, 400, 2 * DAY, 4 * DAY])
    skew = chance.randint(0, 2)
    return event(
        number,
        chance.choice(NAMES),
        seconds,
        domain_userid=chance.choice([cookie] * 8 + [f"{cookie}-rotated", None]),
        domain_sessionid=chance.choice([session] * 12 + [None]),
        user_id=chance.choice([user, user, None]),
        view=chance.choice([f"{session}-p1", f"{session}-p2", "shared", None]),
        email=chance.choice([None, None, f"{number}@example.com"]),
        page_title=chance.choice(["Home", "Docs", None]),
        mkt_medium=chance.choice([None, None, "cpc", "email"]),
        se_value=chance.choice([None, 1.5, 4.0]),
        useragent=chance.choice([None] * 9 + ["Googlebot"]),
        dvce_created_tstamp=at(seconds - skew),
        dvce_sent_tstamp=at(seconds - skew + chance.choice([0, 0, 0, 5 * DAY])),
    )


def copies(chance: Random, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Some events were sent again, and received at another moment."""
    return [
        {**row, "collector_tstamp": row["collector_tstamp"] + timedelta(seconds=chance.choice([-2, 2, DAY]))}
        for row in chance.sample(events, len(events) // 8)
    ]


def tables(told: Built) -> dict[str, list[tuple[str, ...]]]:
    """Give every derived table as sorted rows of text."""
    return {
        name: sorted(tuple(f"{key}={row[key]}" for key in sorted(row)) for row in told.lake.read(name).to_pylist())
        for name in (*merged_models(), *IDENTITY)
    }


def by_day(chance: Random, events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Part events by the day on which they were received, some of them up to three days late."""
    days: dict[int, list[dict[str, Any]]] = {}
    for row in events:
        day = (row["collector_tstamp"] - START).days + chance.choice([0, 0, 0, 1, 3])
        days.setdefault(day // 5, []).append(row)
    return [days[day] for day in sorted(days)]


def shuffled(chance: Random, events: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Part events at random, in any order."""
    rows = chance.sample(events, len(events))
    cuts = sorted(chance.sample(range(1, len(rows)), 2))
    return [rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]]


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_tables_depend_on_the_events_and_on_nothing_else(workshop: Path, seed: int) -> None:
    chance = Random(seed)
    events = draw_history(chance, visitors=30)
    expected = tables(append_and_build(empty_project(workshop), events, **SETTINGS))
    empty_project(workshop)
    batches = chance.choice([by_day, shuffled])(chance, events)
    for batch in batches:
        told = append_and_build(workshop, batch, **SETTINGS)
    assert told.report.plan.startswith("events since")
    assert tables(told) == expected
    again = append_and_build(workshop, chance.choice(batches), **SETTINGS)
    assert tables(again) == expected


AFTER_PAGE_VIEWS = ("sessions", "users", "people", "first_touch_features", "user_traits")
AFTER_MAPPING = (*AFTER_PAGE_VIEWS, "page_views", "conversions", "consents")
AFTER_IDENTITY = (*AFTER_MAPPING, "user_mapping", "visit_days")
CUTS = {"page views": AFTER_PAGE_VIEWS, "mapping": AFTER_MAPPING, "identity": AFTER_IDENTITY, "users": ("people",)}


@pytest.mark.parametrize("undone", CUTS.values(), ids=CUTS)
def test_a_build_that_was_cut_off_is_made_good_by_the_next(workshop: Path, undone: tuple[str, ...]) -> None:
    chance = Random(5)
    events = draw_history(chance, visitors=30)
    expected = tables(append_and_build(empty_project(workshop), events, **SETTINGS))
    empty_project(workshop)
    half = len(events) // 2
    told = append_and_build(workshop, events[:half], **SETTINGS)
    before = {name: told.lake.delta(name).version() for name in merged_models()}
    noted = told.lake.read("model_builds")
    append_and_build(workshop, events[half:], **SETTINGS)
    for name in undone:  # as if the process had ended before these were written
        if told.lake.version(name) != before[name]:
            told.lake.delta(name).restore(before[name])
    told.lake.overwrite("model_builds", noted)
    assert tables(append_and_build(workshop, [], **SETTINGS)) == expected
