"""How sure a number is: the same judgement over people drawn again and again, all resamples in one sweep."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

TIMES = 200
INNER = (2.5, 97.5)
"""The percentiles of a 95 % interval."""
Draws = Any


def draw(people: int, *, times: int = TIMES, seed: int = 20) -> Draws:
    """Give how often each person is in each resample."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(people, np.full(people, 1 / people), size=times).astype(np.float32)


def intervals(label: Any, score: Any, draws: Draws, *, is_value: bool) -> dict[str, tuple[float, float]]:
    """Give the 95 % interval of each metric."""
    found = {}
    for name, measure in (VALUE if is_value else CHANCE).items():
        low, high = np.nanpercentile(measure(label, score, draws), INNER)
        found[name] = (float(low), float(high))
    return found


def share_better(metric: str, label: Any, ours: Any, theirs: Any, draws: Draws) -> float | None:
    """Give in which share of the resamples our scores beat theirs; None for a metric that is not resampled."""
    measure = {**CHANCE, **VALUE}.get(metric)
    if measure is None:
        return None
    difference = measure(label, ours, draws) - measure(label, theirs, draws)
    return float(np.mean(difference < 0 if metric in SMALLER else difference > 0))


def _roc_auc(label: Any, score: Any, draws: Draws) -> Any:
    positive, negative = _by_score(label, score, draws)
    below = np.cumsum(negative, axis=1) - negative
    area = (positive * (below + negative / 2)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return area / (positive.sum(axis=1) * negative.sum(axis=1))


def _average_precision(label: Any, score: Any, draws: Draws) -> Any:
    positive, negative = (part[:, ::-1] for part in _by_score(label, score, draws))
    found, taken = np.cumsum(positive, axis=1), np.cumsum(positive + negative, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, found / taken, 0.0)
        return (positive * precision).sum(axis=1) / positive.sum(axis=1)


def _brier(label: Any, score: Any, draws: Draws) -> Any:
    return draws @ ((score - label) ** 2) / draws.sum(axis=1)


def _gini(label: Any, score: Any, draws: Draws) -> Any:
    return _concentration(label, score, draws) / _concentration(label, label, draws)


def _concentration(label: Any, score: Any, draws: Draws) -> Any:
    order = np.argsort(-np.asarray(score), kind="stable")
    people, amount = draws[:, order], draws[:, order] * np.asarray(label)[order]
    share = np.cumsum(people, axis=1) / people.sum(axis=1, keepdims=True)
    gained = np.cumsum(amount, axis=1) / amount.sum(axis=1, keepdims=True)
    return ((gained - share) * people).sum(axis=1) / people.sum(axis=1)


def _mae(label: Any, score: Any, draws: Draws) -> Any:
    return draws @ np.abs(score - label) / draws.sum(axis=1)


def _by_score(label: Any, score: Any, draws: Draws) -> tuple[Any, Any]:
    """Give the weight of the positive and of the negative at each distinct score, lowest first."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(np.asarray(score)[order], prepend=-np.inf))
    label = np.asarray(label, dtype=np.float32)[order]
    drawn = draws[:, order]
    positive = np.add.reduceat(drawn * label, starts, axis=1)
    negative = np.add.reduceat(drawn * (1 - label), starts, axis=1)
    return positive, negative


Measure = Callable[[Any, Any, Draws], Any]
CHANCE: Mapping[str, Measure] = {"roc_auc": _roc_auc, "average_precision": _average_precision, "brier": _brier}
VALUE: Mapping[str, Measure] = {"gini": _gini, "mae": _mae}
SMALLER = {"brier", "log_loss", "mae", "rmse", "calibration_error"}
"""Metrics of which less is better."""
