"""Scores of the champion in the lake: who has one, how they are ranked and why, and that nothing is written twice."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

from catchment.errors import ModelError
from catchment.lake.lake import Lake
from catchment.predict import people
from catchment.predict import score as scoring
from catchment.predict.ask import score_records
from catchment.predict.definition import Labels
from catchment.predict.learner import Features
from catchment.predict.rank import label_people
from catchment.predict.score import Since, _at_once
from catchment.predict.tracking import open_tracking
from catchment.predict.weigh import tell_reasons
from catchment.predict.workshop import open_champion

from .acme import LOGISTIC, NOW, SETTINGS, Site, World, conversion, event, fill, prediction, site

PREDICTION = prediction(learner=LOGISTIC, search={"trials": 1})
MADE = site(700)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]) -> Path:
    folder = lay_out_store(tmp_path_factory.mktemp("project"))
    World(folder, fill(Lake(str(folder / "lake")), MADE), MADE).train(PREDICTION)
    return folder


@pytest.fixture
def world(project: Path, tmp_path: Path) -> World:
    return World(project, fill(Lake(str(tmp_path)), MADE), MADE)


def test_everybody_is_scored_who_had_not_converted_before(world: World) -> None:
    first = MADE.events[0]
    person = first["domain_userid"]
    made = Site(MADE.events, [*MADE.conversions, conversion(person, first["derived_tstamp"])], {})
    fill(world.lake, made)
    report = world.score(PREDICTION)
    expected = set(MADE.truth) - {person}
    assert {row["person_id"] for row in world.scores()} == expected
    assert (report.prediction, report.model_version, report.scored) == ("signup", "1", len(expected))
    assert {row["scored_at"] for row in world.scores()} == {NOW}


def test_deciles_are_of_one_size_rise_with_the_score_and_make_the_labels(world: World) -> None:
    report = world.score(PREDICTION)
    rows = world.scores()
    sizes = Counter(row["decile"] for row in rows)
    assert set(sizes) == set(range(1, 11))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    by_score = sorted(rows, key=lambda row: (row["score"], row["person_id"]))
    assert [row["decile"] for row in by_score] == sorted(row["decile"] for row in by_score)
    labels = {decile: {row["label"] for row in rows if row["decile"] == decile} for decile in range(1, 11)}
    assert {decile for decile, found in labels.items() if found == {"High"}} == {9, 10}
    assert {decile for decile, found in labels.items() if found == {"Medium"}} == {6, 7, 8}
    assert report.labels == dict(Counter(row["label"] for row in rows))


def test_a_stop_between_history_and_scores_leaves_no_score_out_of_the_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Lake._write

    def stopped(lake: Lake, table: str, *rest: Any, **how: Any) -> None:
        if table == "propensity_scores":
            raise KeyboardInterrupt
        write(lake, table, *rest, **how)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Lake, "_write", stopped)
        world.score(PREDICTION)
    world.score(PREDICTION)
    told = {(row["person_id"], row["score"]) for row in world.scores("scores")}
    assert told >= {(row["person_id"], row["score"]) for row in world.scores()} != set()


def test_what_waited_on_disk_is_gone_after_scoring_also_after_a_kill(world: World) -> None:
    left = world.folder / ".catchment" / "predictions" / "signup" / "scoring" / "draft.arrow"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"person-00001 of a scoring that was killed")
    world.score(PREDICTION)
    assert not left.parent.exists()


def test_labels_may_begin_at_scores_of_ones_own() -> None:
    labels = Labels(by="score", medium=0.1, high=0.4)
    scores = np.array([0.05, 0.1, 0.39, 0.4])
    assert label_people(labels, np.ones(4), scores).to_pylist() == ["Low", "Medium", "Medium", "High"]


def test_each_score_has_its_three_reasons_in_plain_words(world: World) -> None:
    world.score(PREDICTION)
    rows = world.scores()
    assert all(len(row["reasons"]) == 3 for row in rows)
    said = Counter(reason.split(":")[0] for row in rows for reason in row["reasons"])
    assert {"first mkt medium", "link clicks"} <= {words for words, _ in said.most_common(6)}
    best = max(rows, key=lambda row: row["score"])
    assert any(reason.endswith("(raises)") for reason in best["reasons"])


def test_reasons_are_what_moved_most_with_its_direction_and_never_what_moved_nothing() -> None:
    features = Features(("pages", "time_in_s", "hour"), ("channel",))
    rows = {"pages": [3.0, np.nan], "time_in_s": [120.4, 7.126], "hour": [1.0, 2.0], "channel": ["email", None]}
    moved = np.array([[0.5, -0.7, 0.1, 0.6], [0.0, -0.2, 0.0, 0.3]])
    assert tell_reasons(moved, pandas.DataFrame(rows), features).to_pylist() == [
        ["time in seconds: 120 (lowers)", "channel: email (raises)", "pages: 3 (raises)"],
        ["channel: none (raises)", "time in seconds: 7.13 (lowers)"],
    ]


def test_batches_are_scored_side_by_side_come_in_order_and_are_read_only_as_threads_have_room() -> None:
    read = []

    def batches() -> Iterator[int]:
        for number in range(9):
            read.append(number)
            yield number

    scored = _at_once(lambda number: number * number, batches(), 2)
    assert (next(scored), read) == (0, [0, 1, 2])
    assert list(scored) == [number * number for number in range(1, 9)]


def test_scoring_again_changes_nothing(world: World) -> None:
    first = world.score(PREDICTION)
    versions, before = [world.lake.version(name) for name in ("propensity_scores", "scores")], world.scores()
    second = world.score(PREDICTION, NOW + timedelta(days=1))
    assert (first.changed, second.changed, second.scored) == (first.scored, 0, first.scored)
    assert [world.lake.version(name) for name in ("propensity_scores", "scores")] == versions
    assert world.scores() == before


@pytest.mark.parametrize("few", [0, 100])
def test_only_people_of_whom_something_came_are_worked_out_and_come_out_as_if_all_were(
    world: World, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(scoring, "FEW", few)  # few changes are merged, more are written with all others anew
    first = world.score(PREDICTION)
    newcomers = [event(f"newcomer-{number}", 1, "page_view", NOW + timedelta(seconds=5)) for number in range(9)]
    fill(world.lake, Site([*MADE.events, *newcomers], MADE.conversions, {}))
    since = Since(first.loaded_until, NOW)
    later = NOW + timedelta(hours=1)
    part = world.score(PREDICTION, later, since)
    assert (part.whole, part.scored) == (False, 9)
    assert 9 < part.changed < 100  # the newcomers, and who is in another tenth for them
    stood = {row["person_id"]: (row["score"], row["decile"], row["label"]) for row in world.scores()}
    whole = world.score(PREDICTION, later)
    assert (whole.whole, whole.changed) == (True, 0)
    assert {row["person_id"]: (row["score"], row["decile"], row["label"]) for row in world.scores()} == stood


def test_people_who_are_parted_to_be_scored_come_out_as_if_all_were_scored_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = world.score(PREDICTION)
    stood = world.scores()
    monkeypatch.setattr(people, "AT_ONCE", 100)
    with world.workshop() as shop:
        lens = people.open_lens(PREDICTION, shop.session, shop.now, 24)
        parts = [part.num_rows for part in people.stream_people(PREDICTION, lens) if part.num_rows]
    assert len(parts) == 7
    assert max(parts) < 200
    parted = world.score(PREDICTION)  # a linear model's last digits are others in other batches
    assert (parted.scored, parted.changed, parted.labels) == (whole.scored, 0, whole.labels)
    assert world.scores() == stood


def test_every_score_that_ever_stood_is_kept(world: World) -> None:
    world.score(PREDICTION)
    before = {row["person_id"]: row["score"] for row in world.scores()}
    person = MADE.events[-1]["domain_userid"]
    moment = MADE.events[-1]["derived_tstamp"]
    more = [event(person, 800 + number, "link_click", moment) for number in range(3)]
    fill(world.lake, Site(MADE.events + more, MADE.conversions, {}))
    changed = world.score(PREDICTION, NOW + timedelta(hours=1)).changed
    history = world.scores("scores")
    assert len(history) == len(before) + changed
    of_one = sorted((row["scored_at"], row["score"]) for row in history if row["person_id"] == person)
    assert of_one[0][1] == before[person]
    latest = {row["person_id"]: row for row in sorted(history, key=lambda row: row["scored_at"])}
    assert latest == {row["person_id"]: row for row in world.scores()}


def test_scores_of_other_predictions_stay(world: World) -> None:
    world.score(PREDICTION)
    other = world.lake.read("propensity_scores").slice(0, 3)
    other = other.set_column(other.column_names.index("prediction"), "prediction", [["churn"] * 3])
    world.lake.merge("propensity_scores", other)
    assert world.score(PREDICTION, NOW + timedelta(days=1)).changed == 0
    world.score(prediction(learner=LOGISTIC, labels={"by": "score", "medium": 0, "high": 0}))
    labels = Counter((row["prediction"], row["label"]) for row in world.scores())
    assert labels["signup", "High"] == 700
    assert sum(count for (name, _), count in labels.items() if name == "churn") == 3


def test_records_that_are_sent_are_scored_as_people_of_the_lake_are(world: World) -> None:
    world.score(PREDICTION)
    champion = open_champion(PREDICTION, SETTINGS, world.folder)
    likely = {"first_mkt_medium": "email", "link_clicks": 3, "engaged_time_in_s": 200, "page_views": 1}
    found, empty = score_records(PREDICTION, champion, [likely, {}], world.lake, world.folder)
    assert found["score"] > empty["score"]
    assert found["label"] == "High"
    assert found["decile"] >= 9
    assert len(found["reasons"]) == 3


def test_the_reasons_of_one_are_the_same_alone_and_among_others(world: World) -> None:
    champion = open_champion(PREDICTION, SETTINGS, world.folder)
    likely = {"first_mkt_medium": "email", "link_clicks": 3, "engaged_time_in_s": 200, "page_views": 1}
    (alone,) = score_records(PREDICTION, champion, [likely], world.lake, world.folder)
    among, _ = score_records(PREDICTION, champion, [likely, {}], world.lake, world.folder)
    assert alone["reasons"] == among["reasons"]
    assert len(alone["reasons"]) == 3


def test_scoring_before_training_says_what_to_do(tmp_path: Path) -> None:
    world = World(tmp_path, fill(Lake(str(tmp_path / "lake")), MADE), MADE)
    with pytest.raises(ModelError, match="'signup' has no champion yet") as raised:
        world.score(PREDICTION)
    assert raised.value.hint == "catchment train signup"


def test_a_project_that_was_moved_asks_for_another_champion_and_gets_it(
    tmp_path: Path, lay_out_store: Callable[[Path], Path]
) -> None:
    here, there = lay_out_store(tmp_path / "here"), tmp_path / "there"
    lake = fill(Lake(str(tmp_path / "lake")), MADE)
    World(here, lake, MADE).train(PREDICTION)
    here.rename(there)
    moved = World(there, lake, MADE)
    with pytest.raises(ModelError, match="champion of 'signup', version 1, cannot be loaded") as raised:
        moved.score(PREDICTION)
    assert "catchment train signup" in raised.value.hint
    assert moved.train(PREDICTION).promoted
    assert moved.score(PREDICTION).model_version == "2"
    assert not here.exists()


def test_a_column_that_the_champion_misses_is_named(world: World) -> None:
    wanted = prediction(learner=LOGISTIC, features={"sources": ["events", "plans"]})
    world.lake.overwrite(
        "plans",
        world.lake.read("conversions", ["person_id", "cv_tstamp"]).rename_columns(["person_id", "observed_tstamp"]),
    )
    with open_tracking(SETTINGS, world.folder) as tracking:
        assert tracking.champion_version("signup") == "1"
    world.score(wanted)
    with pytest.raises(ModelError, match="reads 'absolute_time_in_s', which none of plans has"):
        world.score(prediction(learner=LOGISTIC, features={"sources": ["plans"]}))
