"""Scores of the champion in the lake: who has one, how they are ranked, and that nothing is written twice."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from catchment.errors import ModelError
from catchment.lake.lake import Lake
from catchment.predict import PredictSettings
from catchment.predict.score import ScoreReport, rank_deciles, score
from catchment.predict.tracking import open_tracking
from catchment.predict.train import train

from .acme import NOW, attached, fill, prediction, visitors

SETTINGS = PredictSettings()
PREDICTION = prediction(learner={"type": "logistic"})
PEOPLE = visitors(700)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, lay_out_store: Callable[[Path], Path]) -> Path:
    folder = lay_out_store(tmp_path_factory.mktemp("project"))
    lake = fill(Lake(str(folder / "lake")), PEOPLE)
    with attached(lake) as session:
        train(PREDICTION, session, SETTINGS, folder, NOW)
    return folder


def run(folder: Path, lake: Lake, days: int = 0) -> ScoreReport:
    with attached(lake) as session:
        return score(PREDICTION, session, lake, SETTINGS, folder, NOW + timedelta(days=days))


def rows(lake: Lake) -> list[dict[str, object]]:
    return lake.read("propensity_scores").to_pylist()


def test_everybody_is_scored_who_had_not_converted_before(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    report = run(project, lake)
    expected = {row["person_id"] for row in PEOPLE.to_pylist() if not row["converted_before"]}
    assert {row["person_id"] for row in rows(lake)} == expected
    assert (report.prediction, report.model_version, report.scored) == ("signup", "1", len(expected))
    assert {row["model_version"] for row in rows(lake)} == {"1"}
    assert {row["scored_at"] for row in rows(lake)} == {NOW}


def test_deciles_are_of_one_size_and_rise_with_the_score(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    run(project, lake)
    sizes = Counter(row["decile"] for row in rows(lake))
    assert set(sizes) == set(range(1, 11))
    assert max(sizes.values()) - min(sizes.values()) <= 1
    by_score = sorted(rows(lake), key=lambda row: (row["score"], row["person_id"]))
    assert [row["decile"] for row in by_score] == sorted(row["decile"] for row in by_score)


def test_the_best_fifth_is_high_and_the_next_three_tenths_are_medium(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    report = run(project, lake)
    labels = {decile: {row["label"] for row in rows(lake) if row["decile"] == decile} for decile in range(1, 11)}
    assert {decile for decile, found in labels.items() if found == {"High"}} == {9, 10}
    assert {decile for decile, found in labels.items() if found == {"Medium"}} == {6, 7, 8}
    assert {decile for decile, found in labels.items() if found == {"Low"}} == {1, 2, 3, 4, 5}
    assert report.labels == dict(Counter(row["label"] for row in rows(lake)))


def test_scores_are_those_that_the_loaded_champion_gives(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    run(project, lake)
    with open_tracking(SETTINGS, project) as tracking:
        champion = tracking.champion("signup")
    assert champion is not None
    with attached(lake) as session:
        frame = session.query("select * from first_touch_features").read_all().to_pandas()
    loaded = dict(zip(frame["person_id"], champion.score(frame), strict=True))
    assert all(row["score"] == pytest.approx(loaded[row["person_id"]]) for row in rows(lake))


def test_scoring_again_changes_nothing(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    first = run(project, lake)
    version, before = lake.version("propensity_scores"), rows(lake)
    second = run(project, lake, days=1)
    assert (first.changed, second.changed, second.scored) == (first.scored, 0, first.scored)
    assert lake.version("propensity_scores") == version
    assert rows(lake) == before


def test_one_changed_person_changes_one_score(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    run(project, lake)
    before = {row["person_id"]: row for row in rows(lake)}
    changed = PEOPLE.to_pylist()
    at = next(place for place, row in enumerate(changed) if not row["converted_before"])
    changed[at]["vertical_percentage_scrolled"] = (changed[at]["vertical_percentage_scrolled"] + 50) % 100
    fill(lake, pa.Table.from_pylist(changed, PEOPLE.schema))
    run(project, lake, days=1)
    after = {row["person_id"]: row for row in rows(lake)}
    moved = {person for person, row in after.items() if row["score"] != before[person]["score"]}
    assert moved == {changed[at]["person_id"]}
    assert len(after) == len(before)


def test_scores_of_other_predictions_stay(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE)
    run(project, lake)
    other = [row | {"prediction": "churn"} for row in rows(lake)[:3]]
    lake.merge("propensity_scores", pa.Table.from_pylist(other, lake.read("propensity_scores").schema))
    assert run(project, lake, days=1).changed == 0
    assert sum(row["prediction"] == "churn" for row in rows(lake)) == 3


def test_a_table_of_nobody_gives_no_scores(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE.slice(0, 0))
    assert run(project, lake).scored == 0
    assert rows(lake) == []


def test_scoring_before_training_says_what_to_do(tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path / "lake")), PEOPLE.slice(0, 5))
    with pytest.raises(ModelError, match="'signup' has no champion yet") as raised:
        run(tmp_path, lake)
    assert raised.value.hint == "catchment train signup"


def test_a_project_that_was_moved_asks_for_another_champion_and_gets_it(
    tmp_path: Path, lay_out_store: Callable[[Path], Path]
) -> None:
    here, there = lay_out_store(tmp_path / "here"), tmp_path / "there"
    lake = fill(Lake(str(tmp_path / "lake")), PEOPLE)
    with attached(lake) as session:
        train(PREDICTION, session, SETTINGS, here, NOW)
    here.rename(there)
    with pytest.raises(ModelError, match="champion of 'signup', version 1, cannot be loaded") as raised:
        run(there, lake)
    assert "catchment train signup" in raised.value.hint
    with attached(lake) as session:
        assert train(PREDICTION, session, SETTINGS, there, NOW).promoted
    assert run(there, lake).model_version == "2"
    assert not here.exists()


def test_a_column_that_the_champion_misses_is_named(project: Path, tmp_path: Path) -> None:
    lake = fill(Lake(str(tmp_path)), PEOPLE.drop_columns(["country"]))
    with pytest.raises(ModelError, match="reads 'country', which the table 'first_touch_features' no longer has"):
        run(project, lake)


def test_equal_scores_are_parted_the_same_way_each_time() -> None:
    people = pa.array([f"p{number:02}" for number in range(20)])
    scores = np.zeros(20)
    assert rank_deciles(people, scores).to_pylist() == sorted([*range(1, 11), *range(1, 11)])
