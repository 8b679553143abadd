"""Watching: people who changed are noticed, and what was foreseen is held against what came."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catchment.lake.lake import Lake
from catchment.predict.drift import Tally, describe, tell_verdict
from catchment.predict.learner import Features
from catchment.predict.watch import has_drifted, judge_outcomes, tell_health
from catchment.tables import SCORES

from .acme import LOGISTIC, NOW, Site, World, conversion, fill, prediction, site

FEATURES = Features(("pages",), ("channel",))
WANTED = prediction(learner=LOGISTIC, search={"trials": 1})


def people(count: int, seed: int, *, pages: float = 3.0, paid: float = 0.2) -> Any:
    chance = np.random.default_rng(seed)
    channel = np.where(chance.random(count) < paid, "paid", "search")
    return pandas.DataFrame({"pages": chance.poisson(pages, count).astype(float), "channel": channel})


def indices(then: Any, now: Any) -> dict[str, float]:
    tally = Tally(describe(then, FEATURES, np.linspace(0, 1, len(then))))
    tally.add(now, np.linspace(0, 1, len(now)))
    return tally.indices()


def test_the_same_people_have_not_drifted_and_other_people_of_their_kind_hardly() -> None:
    assert max(indices(people(2000, 1), people(2000, 1)).values()) == pytest.approx(0)
    assert max(indices(people(2000, 1), people(2000, 2)).values()) < 0.05


def test_what_moved_is_told_from_what_stayed() -> None:
    found = indices(people(2000, 1), people(2000, 2, pages=6.0))
    assert tell_verdict(found["pages"], 0.25) == "drifted"
    assert tell_verdict(found["channel"], 0.25) == "steady"
    found = indices(people(2000, 1), people(2000, 2, paid=0.6).replace("paid", "podcast"))
    assert tell_verdict(found["channel"], 0.25) == "drifted"


@given(st.lists(st.floats(0, 50) | st.just(float("nan")), min_size=1, max_size=60), st.integers(1, 7))
def test_counting_in_batches_is_counting_at_once(values: list[float], size: int) -> None:
    frame = pandas.DataFrame({"pages": values, "channel": [None if value != value else "x" for value in values]})
    reference = describe(people(100, 1), FEATURES, np.zeros(100))
    whole, parts = Tally(reference), Tally(reference)
    whole.add(frame, np.zeros(len(frame)))
    for start in range(0, len(frame), size):
        part = frame.iloc[start : start + size]
        parts.add(part, np.zeros(len(part)))
    assert parts.indices() == whole.indices()
    assert all(count.sum() == len(values) for count in whole.counts.values())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]) -> Path:
    folder = lay_out_store(tmp_path_factory.mktemp("project"))
    made = site(900)
    World(folder, fill(Lake(str(folder / "lake")), made), made).train(WANTED)
    return folder


def later(made: Site, days: int) -> Site:
    """The same visitors some time later."""
    moved = timedelta(days=days)
    times = ("derived_tstamp", "dvce_created_tstamp", "collector_tstamp", "load_tstamp")
    events = [row | {name: row[name] + moved for name in times} for row in made.events]
    return Site(events, [row | {"cv_tstamp": row["cv_tstamp"] + moved} for row in made.conversions], made.truth)


def test_visitors_who_changed_are_noticed_in_the_status_and_call_for_training(project: Path, tmp_path: Path) -> None:
    world = World(project, fill(Lake(str(tmp_path)), site(900, seed=2)), site(1))
    assert tell_health(WANTED, world.lake).verdict == "unwatched"
    world.score(WANTED)
    assert tell_health(WANTED, world.lake).verdict == "healthy"
    assert not has_drifted(WANTED, world.lake, "1")
    changed = site(900, seed=2)
    for row in changed.events:
        row |= {"mkt_medium": "podcast", "geo_country": "BR", "page_urlpath": "/new"}
    fill(world.lake, changed)
    world.score(WANTED, NOW + timedelta(hours=1))
    health = tell_health(WANTED, world.lake)
    assert health.verdict == "drifted"
    assert "first_mkt_medium" in health.note
    limit = WANTED.model_copy(update={"retrain": WANTED.retrain.model_copy(update={"drift": 0.05})})
    assert has_drifted(limit, world.lake, "1") or has_drifted(WANTED, world.lake, "1")


@pytest.mark.parametrize(("extra", "verdict"), [(0, "as foreseen"), (250, "off")])
def test_what_was_foreseen_is_held_against_what_came(project: Path, tmp_path: Path, extra: int, verdict: str) -> None:
    made = site(1300, seed=3)
    first = {row["domain_userid"]: row["derived_tstamp"] for row in reversed(made.events)}
    end = max(first.values())
    young = [person for person, moment in first.items() if moment > end - timedelta(days=13)]
    for person in young:
        first[person] = end
    events = [
        row | {"derived_tstamp": NOW, "load_tstamp": NOW, "dvce_created_tstamp": NOW}
        if row["domain_userid"] in young and row["event_name"] != "sign_up" else row
        for row in made.events
    ]  # fmt: skip
    events = [row for row in events if row["domain_userid"] not in young or row["event_name"] != "sign_up"]
    world = World(project, fill(Lake(str(tmp_path)), Site(events, [], {})), made)
    assert world.score(WANTED, NOW + timedelta(hours=2)).scored > 0
    scores = {row["person_id"]: row["score"] for row in world.scores() if row["person_id"] in young}
    with world.workshop(NOW + timedelta(hours=2)) as shop:
        assert judge_outcomes(WANTED, shop) == 0
    chance = np.random.default_rng(1)
    did = [person for person, score in scores.items() if chance.random() < score] + young[:extra]
    sentinel = events[-1] | {"event_id": "end", "derived_tstamp": NOW + timedelta(days=40)}
    came = [conversion(person, NOW + timedelta(days=5)) for person in dict.fromkeys(did)]
    fill(world.lake, Site([*events, sentinel], came, {}))
    with world.workshop(NOW + timedelta(days=20)) as shop:
        assert judge_outcomes(WANTED, shop) >= len(young)
        judge_outcomes(WANTED, shop)
    rows = world.lake.read("prediction_outcomes").to_pylist()
    assert sum(row["people"] for row in rows) >= len(young)
    assert len({(row["model_version"], row["observed_week"]) for row in rows}) == len(rows)
    (row,) = [row for row in rows if row["people"] >= len(young)]
    assert row["verdict"] == verdict
    assert f"{row['people']} people of the week of" in tell_health(WANTED, world.lake).note


def test_each_version_is_judged_by_the_first_score_that_it_gave_of_a_look_in_time(tmp_path: Path) -> None:
    world = World(tmp_path, fill(Lake(str(tmp_path / "lake")), site(300)), site(1))
    look = NOW - timedelta(days=20)
    given = [("1", 0.2, 1), ("1", 0.9, 5), ("2", 0.4, 2), ("2", 0.9, 72)]
    rows = [
        {"prediction": name, "person_id": person, "model_version": version, "score": score, "observed_at": look,
         "scored_at": look + timedelta(hours=hours)}
        for person in site(300).truth for version, score, hours in given for name in ("signup", "another")
    ]  # fmt: skip
    world.lake.append("scores", pa.Table.from_pylist(rows, schema=SCORES.schema))
    with world.workshop() as shop:
        assert judge_outcomes(WANTED, shop) == 600
    judged = {row["model_version"]: row for row in world.lake.read("prediction_outcomes").to_pylist()}
    assert {version: row["people"] for version, row in judged.items()} == {"1": 300, "2": 300}
    assert {version: row["predicted"] for version, row in judged.items()} == pytest.approx({"1": 0.2, "2": 0.4})
    assert judged["1"]["observed"] == judged["2"]["observed"] > 0
