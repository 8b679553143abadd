"""Learn from people whose future is known, judge on later ones, and let the better model be champion."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from catchment.errors import ModelError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction, open_learners
from catchment.predict.examples import Examples, Slice, read_examples
from catchment.predict.judge import draw_curves, measure, weigh_features
from catchment.predict.people import PERSON, feature_frame
from catchment.predict.plots import plot_curve, plot_importance
from catchment.predict.tracking import Model, Tracking, Trained, open_tracking

log = logging.getLogger("catchment")

SAMPLE = 5


@dataclass(frozen=True)
class TrainReport:
    """What a training came to; every number is of the holdout, which no model learned from."""

    prediction: str
    model_version: str
    rows: int
    positives: int
    holdout_rows: int
    holdout_positives: int
    roc_auc: float
    average_precision: float
    metrics: Mapping[str, float]
    baseline: Mapping[str, float]
    champion_version: str
    champion_metrics: Mapping[str, float]
    promoted: bool


def train(
    prediction: Prediction,
    session: Session,
    settings: PredictSettings,
    folder: Path,
    now: datetime,
    *,
    lake: Lake | None = None,
) -> TrainReport:
    """Train, judge, write down and register one model, and make it champion where it beats the standing one.

    Both are judged on the same, newest people. With `lake` the version of the data is written down too.
    Raises TooFewExamples where there is nothing to learn from.
    """
    examples = read_examples(prediction, session, now)
    learner, rival = open_learners(prediction, folder)
    parts = examples.train.labelled(examples.features), examples.validation.labelled(examples.features)
    model = learner.fit(examples.features, *parts, settings.threads)
    baseline = _judge_baseline(rival, examples, settings.threads)
    held = examples.holdout.labelled(examples.features)
    score = model.predict_proba(held.frame)[:, 1]
    metrics = measure(held.label, score)
    worth = weigh_features(model, held.frame, held.label)
    curves = draw_curves(held.label, score)
    trained = Trained(
        name=prediction.name,
        estimator=model,
        features=examples.features,
        schema=examples.train.people.schema,
        sample=parts[0].frame.head(SAMPLE),
        params=_params(prediction, learner.model_dump(), examples),
        metrics={**metrics, **{f"baseline_{name}": value for name, value in baseline.items()}},
        packages=learner.packages,
        tags=_tags(prediction, examples, lake),
        figures={
            **{name: plot_curve(name, curve) for name, curve in curves.items()},
            "feature_importance": plot_importance(worth),
        },
        documents={"feature_importance": worth, "curves": {name: curve._asdict() for name, curve in curves.items()}},
    )
    with open_tracking(settings, folder) as tracking:
        report = _register(trained, examples, baseline, prediction.metric, tracking)
    _write_holdout(examples.holdout, score, folder / ".catchment" / "predictions" / prediction.name)
    return report


def _register(
    trained: Trained, examples: Examples, baseline: Mapping[str, float], metric: str, tracking: Tracking
) -> TrainReport:
    held = examples.holdout
    standing = _find_champion(trained.name, tracking)
    beaten = {} if standing is None else _judge_champion(standing, held)
    version = tracking.log(trained)
    promoted = standing is None or not beaten or trained.metrics[metric] > beaten[metric]
    if promoted:
        tracking.promote(trained.name, version)
    metrics = {name: value for name, value in trained.metrics.items() if not name.startswith("baseline_")}
    return TrainReport(
        prediction=trained.name,
        model_version=version,
        rows=examples.rows,
        positives=examples.positives,
        holdout_rows=len(held.label),
        holdout_positives=int(held.label.sum()),
        roc_auc=metrics["roc_auc"],
        average_precision=metrics["average_precision"],
        metrics=metrics,
        baseline=baseline,
        champion_version=version if promoted or standing is None else standing.version,
        champion_metrics=metrics if promoted else beaten,
        promoted=promoted,
    )


def _find_champion(name: str, tracking: Tracking) -> Model | None:
    try:
        return tracking.champion(name)
    except ModelError as error:
        log.warning("%s The new model takes its place.", error)
        return None


def _judge_champion(champion: Model, held: Slice) -> dict[str, float]:
    """Judge the standing champion on this holdout; nothing where the table lost a column that it reads."""
    if not set(champion.features.names) <= set(held.people.column_names):
        return {}
    return measure(held.label, champion.score(feature_frame(held.people, champion.features)))


def _judge_baseline(rival: Any, examples: Examples, threads: int) -> dict[str, float]:
    if rival is None:
        return {}
    parts = (part.labelled(examples.features) for part in (examples.train, examples.validation, examples.holdout))
    train, validation, held = parts
    model = rival.fit(examples.features, train, validation, threads)
    return measure(held.label, model.predict_proba(held.frame)[:, 1])


def _params(prediction: Prediction, options: Mapping[str, Any], examples: Examples) -> dict[str, Any]:
    slices = (examples.train, examples.validation, examples.holdout)
    return {
        "learner": prediction.learner["type"],
        **{f"learner.{name}": value for name, value in options.items()},
        "horizon_days": prediction.horizon_days,
        "features": len(examples.features.names),
        **{f"{part.name}.people": len(part.label) for part in slices},
        **{f"{part.name}.positives": int(part.label.sum()) for part in slices},
        **{f"{part.name}.first": part.first.isoformat() for part in slices},
        **{f"{part.name}.last": part.last.isoformat() for part in slices},
    }


def _tags(prediction: Prediction, examples: Examples, lake: Lake | None) -> dict[str, str]:
    tags = {"catchment.definition": prediction.definition(), "catchment.observed_until": examples.clock.isoformat()}
    if lake is not None:
        tags[f"catchment.delta_version.{prediction.table}"] = str(lake.version(prediction.table))
    return tags


def _write_holdout(held: Slice, score: Any, folder: Path) -> None:
    """Leave the judged people where a test can judge them against what it knows."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pa.table({PERSON: held.people[PERSON], "label": held.label, "score": score})
    pq.write_table(table, folder / "holdout.parquet")
