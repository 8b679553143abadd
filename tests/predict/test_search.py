"""The search stays in its budget, goes on where it was stopped, and calibration is kept only where it helps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from catchment.errors import PluginError
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.calibrate import fit_calibrated
from catchment.predict.definition import open_learners
from catchment.predict.examples import Examples, Slice, read_examples
from catchment.predict.learner import Features, Labelled, Learner, Task
from catchment.predict.people import open_lens
from catchment.predict.search import Found, search

from .acme import NOW, TIME, make_world, prediction, site


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    world = make_world(tmp_path_factory.mktemp("world"), site(700))
    with world.workshop() as shop:
        return read_examples(prediction(), open_lens(prediction(), shop.session, shop.now, 24))


def look(examples: Examples, folder: Path, progress: Callable[..., None] = lambda *told: None, **keys: Any) -> Found:
    wanted = prediction(**keys)
    learner, _ = open_learners(wanted, folder)
    task = Task(examples.features, len(examples.development.label), threads=1)
    return search(wanted, learner, examples, task, folder, progress)


def test_no_more_trials_than_allowed_and_each_is_told(examples: Examples, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = look(examples, tmp_path, lambda *step: told.append(step), search={"trials": 4})
    assert (found.trials, found.resumed) == (4, 0)
    assert [step[:2] for step in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_no_trial_begins_after_the_time_is_up(examples: Examples, tmp_path: Path) -> None:
    found = look(examples, tmp_path, search={"trials": 500, "seconds": 0.01})
    assert found.trials < 5


def test_an_interrupted_search_goes_on_where_it_was_stopped(examples: Examples, tmp_path: Path) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(examples, tmp_path, stop, search={"trials": 4})
    found = look(examples, tmp_path, search={"trials": 4})
    assert (found.resumed, found.trials) == (2, 4)
    assert look(examples, tmp_path, search={"trials": 4}) == found._replace(resumed=4, seconds=pytest.approx(0, abs=60))


def test_another_definition_starts_anew(examples: Examples, tmp_path: Path) -> None:
    look(examples, tmp_path, search={"trials": 2})
    assert look(examples, tmp_path, search={"trials": 2}, features={"exclude": ["pages"]}).resumed == 0


def test_an_option_that_the_file_states_is_not_searched_for(examples: Examples, tmp_path: Path) -> None:
    learner = {"type": "lightgbm", "leaves": 5, "trees": 60, "learning_rate": 0.1}
    found = look(examples, tmp_path, learner=learner, search={"trials": 4})
    assert found.learner.model_dump()["leaves"] == 5


def test_a_feature_held_to_one_direction_never_lowers_the_score_as_it_rises(examples: Examples, tmp_path: Path) -> None:
    wanted = prediction(learner={"type": "lightgbm", "trees": 60, "rows_per_leaf": 5, "monotone": {"hour": 1}})
    learner, _ = open_learners(wanted, tmp_path)
    task = Task(examples.features, len(examples.development.label), threads=1)
    model = learner.fit(task, examples.development.labelled())
    rows = examples.holdout.frame.head(50)
    scores = np.array([model.predict_proba(rows.assign(hour=float(hour)))[:, 1] for hour in range(24)])
    assert (np.diff(scores, axis=0) >= -1e-12).all()


class _Worsening(Learner):
    """A learner of whom each trial is worse than the one before, from the first step on."""

    number: int = 0

    def vary(self, trial: Any) -> "_Worsening":
        return self.model_copy(update={"number": trial.number})

    def settle(self, task: Task, prepared: Any, watch: Callable[[int, float], None]) -> tuple["_Worsening", float]:
        for step in range(100):
            watch(step, 1.0 + self.number)
        return self, 1.0 + self.number


def test_a_hopeless_trial_is_given_up_before_its_end(examples: Examples, tmp_path: Path) -> None:
    task = Task(examples.features, 700, threads=1)
    found = search(prediction(search={"trials": 8}), _Worsening(), examples, task, tmp_path, lambda *told: None)
    assert (found.trials, found.loss, found.learner.number) == (8, 1.0, 0)
    assert found.pruned == 4


class _Boastful(Learner):
    """A learner whose chances are three times as far from one half as they should be."""

    def build(self, task: Task) -> Any:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer

        return make_pipeline(FunctionTransformer(np.asarray), LogisticRegression(C=1e6, class_weight={0: 1, 1: 12}))


def slice_of(count: int) -> Slice:
    import pandas

    chance = np.random.default_rng(5)
    signal = chance.normal(size=count)
    label = (chance.random(count) < 1 / (1 + np.exp(2.5 - signal))).astype(float)
    people = pa.table({PERSON: [f"p{number}" for number in range(count)], MOMENT: pa.array([NOW] * count, TIME)})
    return Slice("development", people, label, pandas.DataFrame({"signal": signal}))


def test_chances_that_boast_are_calibrated_and_true_ones_are_left_alone(tmp_path: Path) -> None:
    people = slice_of(3000)
    task = Task(Features(("signal",), ()), 3000, threads=1)
    boastful = fit_calibrated(_Boastful(), task, people)
    assert boastful.method in ("sigmoid", "isotonic")
    assert boastful.brier[boastful.method] < boastful.brier["none"] - 0.01
    assert boastful.model.predict_proba(people.frame)[:, 1].mean() == pytest.approx(people.label.mean(), abs=0.01)
    honest, _ = open_learners(prediction(learner={"type": "logistic", "strength": 1.0}), tmp_path)
    assert honest.fit(task, Labelled(people.frame, people.label)).predict_proba(people.frame)[
        :, 1
    ].mean() == pytest.approx(
        fit_calibrated(honest, task, people).model.predict_proba(people.frame)[:, 1].mean(), abs=0.01
    )


def test_an_extra_that_is_not_installed_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
    learner, _ = open_learners(prediction(learner={"type": "xgboost"}), tmp_path)
    with pytest.raises(PluginError) as raised:
        learner.build(Task(Features(("a",), ()), 10))
    assert raised.value.hint == "pip install 'catchment[xgboost]'"
