"""No feature knows the future: not what happened later, not what arrived later, not who a cookie turned out to be."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catchment.lake.lake import Lake
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.outcomes import BEFORE, HAPPENED, LABEL
from catchment.predict.people import open_lens, read_examples_table, stream_people

from .acme import NOW, START, TIME, Site, conversion, event, make_world, prediction, site

EVERYBODY = prediction(
    who="people", observe={"every_days": 5, "history_days": 20}, outcome={"conversion": "signup", "repeats": True}
)
STRICT = {"history_hours": 0}
"""Nothing counts as history: both clocks hold from the first event on."""


def at(days: float) -> datetime:
    return START + timedelta(days=days)


def looks(
    folder: Path, made: Site, wanted: Any = EVERYBODY, now: datetime = NOW, **setting: Any
) -> list[dict[str, Any]]:
    world = make_world(folder, made, **(setting or STRICT))
    with world.workshop(now) as shop:
        lens = open_lens(wanted, shop.session, shop.now, shop.settings.history_hours)
        return read_examples_table(wanted, lens).to_pylist()


def features(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    outcome = {PERSON, MOMENT, BEFORE, LABEL, HAPPENED}
    return {
        (row[PERSON], row[MOMENT]): {name: value for name, value in row.items() if name not in outcome} for row in rows
    }


def test_what_happens_after_the_look_is_no_feature(tmp_path: Path) -> None:
    made = Site(
        [event("a", 1, "page_view", at(1)), event("a", 2, "page_view", at(43)), event("a", 3, "x", at(60))], [], {}
    )
    rows = looks(tmp_path, made, now=at(60))
    assert {row[MOMENT]: row["page_views"] for row in rows} == {at(31): 1, at(36): 1, at(41): 1, at(46): 2}


def test_what_arrives_after_the_look_is_no_feature(tmp_path: Path) -> None:
    late = event("a", 2, "page_view", at(2), load_tstamp=at(38))
    made = Site([event("a", 1, "page_view", at(1)), late, event("a", 3, "x", at(60))], [], {})
    rows = looks(tmp_path, made, now=at(60))
    assert {row[MOMENT]: row["page_views"] for row in rows} == {at(31): 1, at(36): 1, at(41): 2, at(46): 2}


def test_another_cookie_is_no_feature_before_a_login_tied_it(tmp_path: Path) -> None:
    other = {"domain_userid": "b", "domain_sessionid": "b/1"}
    made = Site(
        [
            event("a", 1, "page_view", at(1), user_id="u"),
            event("b", 2, "page_view", at(2), **other),
            event("b", 3, "link_click", at(38), user_id="u", **other),
            event("a", 4, "x", at(60)),
        ],
        [],
        {},
    )
    world = make_world(tmp_path, made, **STRICT)
    mapping = [{"domain_userid": "a", "person_id": "a"}, {"domain_userid": "b", "person_id": "a"}]
    world.lake.overwrite("user_mapping", pa.Table.from_pylist(mapping))
    with world.workshop(at(60)) as shop:
        lens = open_lens(EVERYBODY, shop.session, shop.now, 0)
        rows = read_examples_table(EVERYBODY, lens).to_pylist()
    assert {row[MOMENT]: row["page_views"] for row in rows} == {at(31): 1, at(36): 1, at(41): 2, at(46): 2}


def test_what_a_lake_was_started_with_counts_as_arrived_when_it_happened(tmp_path: Path) -> None:
    events = [event("a", 1, "page_view", at(1)), event("a", 2, "page_view", at(33)), event("a", 3, "x", at(60))]
    made = Site([one | {"load_tstamp": at(61)} for one in events], [], {})
    rows = looks(tmp_path, made, now=at(60), history_hours=24)
    assert [row["page_views"] for row in rows] == [1, 2, 2, 2]


def test_an_event_sent_twice_counts_once_and_a_machine_never(tmp_path: Path) -> None:
    seen = event("a", 1, "page_view", at(1))
    crawler = event("bot", 2, "page_view", at(1), useragent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    rows = looks(tmp_path, Site([seen, seen, crawler, event("a", 3, "x", at(60))], [], {}), now=at(60))
    assert {(row[PERSON], row["page_views"]) for row in rows} == {("a", 1)}


def test_a_label_comes_only_from_after_the_look_and_within_the_horizon(tmp_path: Path) -> None:
    made = Site([event("a", 1, "page_view", at(1)), event("a", 3, "x", at(60))], [conversion("a", at(40))], {})
    rows = looks(tmp_path, made, now=at(60))
    assert {row[MOMENT]: (row[BEFORE], row[LABEL]) for row in rows} == {
        at(31): (False, 1.0), at(36): (False, 1.0), at(41): (True, 0.0), at(46): (True, 0.0),
    }  # fmt: skip


def test_engaged_time_counts_heartbeats_of_the_devices_clock(tmp_path: Path) -> None:
    pings = [event("a", 2 + beat, "page_ping", at(1) + timedelta(seconds=10 * beat)) for beat in range(4)]
    again = event("a", 9, "page_ping", at(1) + timedelta(seconds=31))
    made = Site([event("a", 1, "page_view", at(1)), *pings, again, event("a", 10, "x", at(60))], [], {})
    assert {row["engaged_time_in_s"] for row in looks(tmp_path, made, now=at(60))} == {10 * 3 + 5}


EARLIER = looks
LATER = st.lists(
    st.tuples(
        st.integers(0, 30), st.sampled_from(["page_view", "page_ping", "link_click", "sign_up"]),
        st.floats(0, 60), st.floats(0, 20), st.booleans(),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LATER)
def test_no_event_that_happens_or_arrives_later_changes_a_feature(
    tmp_path_factory: pytest.TempPathFactory, later: Any
) -> None:
    made = site(31, seed=3)
    made.events.append(event("last", 1, "x", at(60)))  # looks are counted back from the last that was seen
    before = features(looks(tmp_path_factory.mktemp("before"), made))
    last = max(moment for _, moment in before)
    more = [
        event(
            f"person-{who:05}", 500 + number, kind, happened, load_tstamp=arrived,
            domain_sessionid=f"s{number}", mkt_medium="later", user_id="u" if logs_in else None,
        )
        for number, (who, kind, days, wait, logs_in) in enumerate(later)
        for happened in [at(days)]
        for arrived in [max(happened, last + timedelta(seconds=1)) + timedelta(days=wait)]
    ]  # fmt: skip
    after = features(looks(tmp_path_factory.mktemp("after"), Site(made.events + more, made.conversions, {})))
    assert {key: after[key] for key in before} == before


def test_a_first_visit_is_looked_at_once_and_only_that_visit_is_seen(tmp_path: Path) -> None:
    made = Site(
        [
            event("a", 1, "page_view", at(1), page_urlpath="/pricing", mkt_medium="email"),
            event("a", 2, "link_click", at(1) + timedelta(minutes=5)),
            event("a", 3, "page_view", at(2), domain_sessionid="a/2", page_urlpath="/docs"),
            event("a", 4, "x", at(60), domain_sessionid="a/3"),
        ],
        [conversion("a", at(2))],
        {},
    )
    (row,) = looks(tmp_path, made, prediction(), now=at(60))
    assert row[MOMENT] == at(1) + timedelta(minutes=65)
    assert (row["page_views"], row["link_clicks"], row[LABEL]) == (1, 1, 1.0)
    assert (row["first_page_urlpath"], row["first_mkt_medium"]) == ("/pricing", "email")


def test_scoring_sees_what_learning_saw(tmp_path: Path) -> None:
    world = make_world(tmp_path, site(40))
    with world.workshop() as shop:
        lens = open_lens(prediction(), shop.session, shop.now, 24)
        learned = features(read_examples_table(prediction(), lens).to_pylist())
        scored = features([row for part in stream_people(prediction(), lens) for row in part.to_pylist()])
    assert learned
    assert {key: scored[key] for key in learned} == learned


def test_a_table_of_ones_own_is_read_as_it_was_true_and_known_by_then(tmp_path: Path) -> None:
    made = Site([event("a", 1, "page_view", at(1)), event("a", 3, "x", at(60))], [], {})
    lake = Lake(str(tmp_path / "lake"))
    plan = pa.table(
        {
            PERSON: ["a"] * 3,
            "observed_tstamp": pa.array([at(2), at(33), at(37)], TIME),
            "load_tstamp": pa.array([at(2), at(33), at(44)], TIME),
            "plan": ["free", "team", "whole"],
        }
    )
    lake.overwrite("plans", plan)
    wanted = EVERYBODY.model_copy(
        update={"features": EVERYBODY.features.model_copy(update={"sources": ("events", "plans")})}
    )
    rows = looks(tmp_path, made, wanted, now=at(60))
    assert [row["plan"] for row in rows] == ["free", "team", "team", "whole"]
