"""Make scores mean what they say: of a hundred people with 0.07, seven do it."""

from typing import Any, NamedTuple

import numpy as np

from catchment.predict.examples import Slice
from catchment.predict.learner import Labelled, Learner, Task, predict

METHODS = ("sigmoid", "isotonic")
"""Platt's curve and the monotone steps, as scikit-learn calls them."""


class Calibrated(NamedTuple):
    """A model of everybody in development, and their scores by models that had not seen them."""

    model: Any
    method: str
    brier: dict[str, float]
    unseen: Any


def fit_calibrated(learner: Learner, task: Task, slice_: Slice) -> Calibrated:
    """Fit the learner, and keep the calibration that people unseen by model and curve alike speak best for.

    Where a fold lacks one of the two kinds of people there is no calibration.
    """
    folds = slice_.folds()
    if min(len(np.unique(slice_.label[rows] > 0)) for fold in folds for rows in fold) < 2:
        model = learner.fit(task, slice_.labelled())
        return Calibrated(model, "none", {}, predict(task, model, slice_.frame))
    unseen = _score_unseen(learner, task, slice_, folds)
    if task.is_value:
        return Calibrated(learner.fit(task, slice_.labelled()), "none", {}, unseen)
    curves = {"none": unseen} | {method: _curve_unseen(method, unseen, slice_.label, folds) for method in METHODS}
    brier = {name: float(np.mean((scores - slice_.label) ** 2)) for name, scores in curves.items()}
    method = min(brier, key=lambda name: (brier[name], name != "none"))
    if method == "none":
        return Calibrated(learner.fit(task, slice_.labelled()), method, brier, unseen)
    from sklearn.calibration import CalibratedClassifierCV

    model = CalibratedClassifierCV(learner.build(task), method=method, cv=folds, ensemble=False)
    model.fit(slice_.frame, slice_.label, **learner.fit_options(task))
    return Calibrated(model, method, brier, curves[method])


def base_model(model: Any) -> Any:
    """Give the model inside its calibration: what a learner can explain."""
    inside = getattr(model, "calibrated_classifiers_", None)
    return model if inside is None else inside[0].estimator


def _score_unseen(learner: Learner, task: Task, slice_: Slice, folds: list[tuple[Any, Any]]) -> Any:
    scores = np.empty(len(slice_.label))
    for known, judged in folds:
        part = Labelled(slice_.frame.iloc[known], slice_.label[known])
        scores[judged] = predict(task, learner.fit(task, part), slice_.frame.iloc[judged])
    return scores


def _curve_unseen(method: str, scores: Any, label: Any, folds: list[tuple[Any, Any]]) -> Any:
    curved = np.empty(len(scores))
    for known, judged in folds:
        curved[judged] = _fit_curve(method, scores[known], label[known])(scores[judged])
    return curved


def _fit_curve(method: str, scores: Any, label: Any) -> Any:
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    if method == "isotonic":
        return IsotonicRegression(out_of_bounds="clip").fit(scores, label).predict
    line = LogisticRegression(C=1e6).fit(scores[:, None], label)
    return lambda unseen: line.predict_proba(unseen[:, None])[:, 1]
