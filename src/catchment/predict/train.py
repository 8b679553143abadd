"""Learn from people whose future is known, judge on later ones, and let the better model be champion."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catchment import __version__
from catchment.errors import DefinitionError, ModelError, PluginError
from catchment.predict.asof import record_name
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.calibrate import Calibrated, base_model, fit_calibrated
from catchment.predict.definition import EVENTS, Prediction, open_learners
from catchment.predict.drift import describe
from catchment.predict.examples import Examples, Slice, read_examples
from catchment.predict.judge import best_f2_threshold, cheapest_threshold
from catchment.predict.judgement import Judgement, Thresholds, judge, measures
from catchment.predict.leak import refuse_leaks
from catchment.predict.learner import Task, predict
from catchment.predict.people import open_lens
from catchment.predict.promote import Ruling, rule
from catchment.predict.revision import read_revision
from catchment.predict.search import Found, Progress, search
from catchment.predict.tracking import Model, Tracking, Trained, open_tracking
from catchment.predict.weigh import mean_contributions, weigh_features
from catchment.predict.workshop import Workshop

log = logging.getLogger("catchment")

SAMPLE = 5
GIT_COMMIT = "mlflow.source.git.commit"
"""Where MLflow looks for the commit of a run."""
EXPLAINED = 2000


@dataclass(frozen=True)
class TrainReport:
    """What a training came to; every number is of the holdout, which no model learned from."""

    prediction: str
    model_version: str
    rows: int
    positives: int
    holdout_rows: int
    holdout_positives: int
    roc_auc: float | None
    average_precision: float | None
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    baseline: Mapping[str, float]
    calibration: str
    trials: int
    champion_version: str
    champion_metrics: Mapping[str, float]
    promoted: bool
    why: str


def train(prediction: Prediction, shop: Workshop, progress: Progress = lambda done, total, what: None) -> TrainReport:
    """Train, judge, write down and register one model, and make it champion where it beats the standing one.

    Both are judged on the same, newest people. Raises TooFewExamples where there is nothing to learn from, and
    DefinitionError where a feature knows the answer.
    """
    lens = open_lens(prediction, shop.session, shop.now, shop.settings.history_hours)
    examples = read_examples(prediction, lens)
    refuse_leaks(prediction, examples)
    folder = shop.folder / ".catchment" / "predictions" / prediction.name
    learned = _learn(prediction, shop, examples, folder, progress)
    held = examples.holdout
    score = predict(learned.task, learned.fitted.model, held.frame)
    judgement = judge(prediction, held, score, learned.thresholds)
    baseline = predict(learned.task, learned.baseline, held.frame)
    rival = measures(prediction, held.label, baseline, learned.thresholds.f2)
    trained = _write_down(prediction, shop, examples, learned, judgement)
    trained = replace(trained, metrics={**trained.metrics, **{f"baseline_{name}": rival[name] for name in rival}})
    with open_tracking(shop.settings, shop.folder) as tracking:
        ruling, version = _register(prediction, trained, held, score, tracking)
    _write_holdout(held, score, folder)
    return _report(prediction, examples, judgement, ruling, rival, (learned, version))


class _Learned(NamedTuple):
    """Everything that was learned of the people in development."""

    task: Task
    found: Found
    fitted: Calibrated
    thresholds: Thresholds
    baseline: Any


def _learn(prediction: Prediction, shop: Workshop, examples: Examples, folder: Path, progress: Progress) -> _Learned:
    learner, rival = open_learners(prediction, shop.folder)
    for key, one in (("learner", learner), ("baseline", rival)):
        try:
            one.check(examples.features)
        except PluginError as error:
            raise DefinitionError(f"{prediction.file}: {key}.{error}", hint=error.hint) from error
    people = examples.development
    task = Task(examples.features, len(people.label), prediction.is_value, shop.settings.threads)
    found = search(prediction, learner, examples, task, folder, progress)
    fitted = fit_calibrated(found.learner, task, people)
    thresholds = Thresholds()
    if not task.is_value:
        thresholds = Thresholds(
            cheapest_threshold(people.label, fitted.unseen, prediction.costs),
            best_f2_threshold(people.label, fitted.unseen),
        )
    return _Learned(task, found, fitted, thresholds, rival.fit(task, people.labelled()))


def _write_down(
    prediction: Prediction, shop: Workshop, examples: Examples, learned: _Learned, judgement: Judgement
) -> Trained:
    held, found, fitted = examples.holdout, learned.found, learned.fitted
    worth = weigh_features(learned.task, fitted.model, held.frame, held.label)
    explained = found.learner.explain(base_model(fitted.model), examples.features, held.frame.head(EXPLAINED))
    moved = {} if explained is None else mean_contributions(explained, examples.features)
    return Trained(
        name=prediction.name,
        estimator=fitted.model,
        features=examples.features,
        schema=held.people.schema,
        sample=examples.development.frame.head(SAMPLE),
        is_value=prediction.is_value,
        params=_params(prediction, found, examples)
        | {"calibration": fitted.method}
        | {"threshold": learned.thresholds.cost, "threshold.f2": learned.thresholds.f2},
        metrics=judgement.logged(),
        packages=found.learner.packages,
        tags=_tags(prediction, examples, shop),
        figures=judgement.figures(worth, moved),
        documents={
            **judgement.documents,
            "feature_importance": worth,
            "contributions": moved,
            "calibration": {"method": fitted.method, "brier": fitted.brier},
        },
        metadata={
            "catchment.learner": prediction.learner["type"],
            "catchment.reference": describe(examples.development.frame, examples.features, fitted.unseen),
        },
    )


def _register(
    prediction: Prediction, trained: Trained, held: Slice, score: Any, tracking: Tracking
) -> tuple[Ruling, str]:
    standing = _find_champion(trained.name, tracking)
    version = tracking.log(trained)
    ruling = rule(prediction, standing, held, score, version)
    if ruling.promoted:
        tracking.promote(trained.name, version)
    tracking.note(trained.name, version, ruling.why)
    return ruling, version


def _find_champion(name: str, tracking: Tracking) -> Model | None:
    try:
        return tracking.champion(name)
    except ModelError as error:
        log.warning("%s The new model takes its place.", error)
        return None


def _report(
    prediction: Prediction,
    examples: Examples,
    judgement: Judgement,
    ruling: Ruling,
    baseline: Mapping[str, float],
    made: tuple[_Learned, str],
) -> TrainReport:
    learned, version = made
    held, metrics = examples.holdout, judgement.metrics
    return TrainReport(
        prediction=prediction.name,
        model_version=version,
        rows=examples.rows,
        positives=examples.positives,
        holdout_rows=len(held.label),
        holdout_positives=int((held.label > 0).sum()),
        roc_auc=metrics.get("roc_auc"),
        average_precision=metrics.get("average_precision"),
        metrics=metrics,
        intervals=judgement.intervals,
        baseline=baseline,
        calibration=learned.fitted.method,
        trials=learned.found.trials,
        champion_version=ruling.champion_version,
        champion_metrics=metrics if ruling.promoted else ruling.champion_metrics,
        promoted=ruling.promoted,
        why=ruling.why,
    )


def _params(prediction: Prediction, found: Found, examples: Examples) -> dict[str, Any]:
    slices = {"training": examples.train, "validation": examples.validation, "holdout": examples.holdout}
    return {
        "kind": prediction.kind,
        "learner": prediction.learner["type"],
        **{f"learner.{name}": value for name, value in found.learner.model_dump().items()},
        "search.trials": found.trials,
        "search.pruned": found.pruned,
        "search.seconds": round(found.seconds, 1),
        "search.loss": found.loss,
        "horizon_days": prediction.horizon,
        "features": len(examples.features.names),
        **{f"{name}.people": len(part.label) for name, part in slices.items()},
        **{f"{name}.positives": int((part.label > 0).sum()) for name, part in slices.items()},
        **{f"{name}.first": part.first.isoformat() for name, part in slices.items()},
        **{f"{name}.last": part.last.isoformat() for name, part in slices.items()},
    }


def _tags(prediction: Prediction, examples: Examples, shop: Workshop) -> dict[str, str]:
    choice = prediction.features
    tables = [EVENTS, "user_mapping", "conversions", *choice.sources, *map(record_name, choice.recorded)]
    versions = {table: shop.lake.version(table) for table in dict.fromkeys(tables)}
    revision = read_revision(shop.folder)
    commit = {} if revision is None else {"catchment.revision": revision, GIT_COMMIT: revision.removesuffix("-dirty")}
    return {
        **commit,
        "catchment.definition": prediction.definition(),
        "catchment.observed_until": examples.clock.isoformat(),
        "catchment.version": __version__,
        **{
            f"catchment.delta_version.{table}": str(version)
            for table, version in versions.items()
            if version is not None
        },
    }


def _write_holdout(held: Slice, score: Any, folder: Path) -> None:
    """Leave the judged people where a test can judge them against what it knows."""
    folder.mkdir(parents=True, exist_ok=True)
    label = held.label if len(np.unique(held.label)) > 2 else held.label.astype(np.int8)
    table = pa.table({PERSON: held.people[PERSON], MOMENT: held.people[MOMENT], "label": label, "score": score})
    pq.write_table(table, folder / "holdout.parquet")
