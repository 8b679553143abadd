"""How good scores are on people that the model never saw, in numbers, in curves and group by group."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from catchment.predict.definition import Costs

POINTS = 200
"""A curve is thinned to this many points: more than a screen shows."""
TOP = 0.1
BINS = 10
SEGMENT_FEWEST = 50


class Curve(NamedTuple):
    """One line of a chart, with what its axes mean."""

    x_label: str
    y_label: str
    x: list[float]
    y: list[float]


def measure(label: Any, score: Any, *, threshold: float | None = None) -> dict[str, float]:
    """Give the metrics of chances; `lift_at_10` is how often the top tenth converts, as a multiple of everybody.

    F2 is taken at `threshold`, without one at that which is best for it on these very people.
    """
    from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score, log_loss, roc_auc_score

    label, score = np.asarray(label), np.asarray(score, dtype=float)
    prevalence = float(label.mean())
    threshold = best_f2_threshold(label, score) if threshold is None else threshold
    top = _best_first(label, score)[: max(1, round(len(label) * TOP))]
    return {
        "roc_auc": float(roc_auc_score(label, score)),
        "average_precision": float(average_precision_score(label, score)),
        "f2": float(fbeta_score(label, score >= threshold, beta=2, zero_division=0)),
        "log_loss": float(log_loss(label, np.clip(score, 1e-9, 1 - 1e-9))),
        "brier": float(brier_score_loss(label, np.clip(score, 0, 1))),
        "lift_at_10": float(top.mean()) / prevalence,
        "calibration_error": _calibration_error(label, score),
        "prevalence": prevalence,
    }


def measure_amounts(label: Any, score: Any) -> dict[str, float]:
    """Give the metrics of amounts; `gini` is 1 where people are ranked as their amounts are, 0 by chance."""
    label, score = np.asarray(label, dtype=float), np.asarray(score, dtype=float)
    error = score - label
    top = _best_first(label, score)[: max(1, round(len(label) * TOP))]
    return {
        "gini": _concentration(label, score) / _concentration(label, label),
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "bias": float(score.sum() / label.sum()) - 1,
        "lift_at_10": float(top.mean() / label.mean()),
        "calibration_error": _calibration_error(label, score),
        "prevalence": float((label > 0).mean()),
    }


def draw_curves(label: Any, score: Any, *, is_value: bool = False) -> dict[str, Curve]:
    """Give the curves by which a model is judged, thinned for drawing."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    label, score = np.asarray(label), np.asarray(score, dtype=float)
    share = np.arange(1, len(label) + 1) / len(label)
    gain = np.cumsum(_best_first(label, score)) / label.sum()
    predicted, observed, _ = _calibration(label, score)
    found = "share of the amount found" if is_value else "share of converters found"
    curves = {
        "calibration": _curve("predicted", "observed", predicted, observed),
        "gain": _curve("share of people, best first", found, share, gain),
        "lift": _curve("share of people, best first", "times the average", share, gain / share),
    }
    if is_value:
        return curves
    false_positive, true_positive, _ = roc_curve(label, score)
    precision, recall, _ = precision_recall_curve(label, score)
    return curves | {
        "roc": _curve("share of others taken", "share of converters found", false_positive, true_positive),
        "precision_recall": _curve("recall", "precision", recall[::-1], precision[::-1]),
    }


def judge_deciles(label: Any, score: Any) -> list[dict[str, float]]:
    """Give per tenth of the people, 10 the highest: what was predicted, what came, and gain and lift so far."""
    label, score = np.asarray(label, dtype=float), np.asarray(score, dtype=float)
    order = np.argsort(-score, kind="stable")
    rows, people, found = [], 0, 0.0
    for place, part in enumerate(np.array_split(order, BINS)):
        if not len(part):
            continue
        people, found = people + len(part), found + label[part].sum()
        rows.append(
            {
                "decile": BINS - place,
                "people": len(part),
                "predicted": float(score[part].mean()),
                "observed": float(label[part].mean()),
                "gain": float(found / label.sum()),
                "lift": float(found / people / label.mean()),
            }
        )
    return rows


def cheapest_threshold(label: Any, score: Any, costs: Costs) -> float:
    """Give the score from which on people are taken in so that mistakes cost least."""
    return _least_threshold(
        label, score, lambda found, taken, all_: costs.missed * (all_ - found) + costs.wasted * (taken - found)
    )


def best_f2_threshold(label: Any, score: Any) -> float:
    """Give the score from which on people are taken in so that F2, which minds misses most, is largest."""
    return _least_threshold(label, score, lambda found, taken, all_: -5 * found / (4 * all_ + taken))


def _least_threshold(label: Any, score: Any, cost: Callable[[Any, Any, float], Any]) -> float:
    """Give the score down to which people are taken in where `cost` of those found, taken and to be found is least."""
    label, score = np.asarray(label), np.asarray(score, dtype=float)
    order = np.argsort(-score, kind="stable")
    found = np.concatenate([[0], np.cumsum(label[order])])
    is_end = np.concatenate([[True], np.diff(score[order]) != 0, [True]])
    costs = cost(found, np.arange(len(label) + 1), float(label.sum()))
    best = int(np.argmin(np.where(is_end, costs, np.inf)))
    return float(score[order[best - 1]]) if best else float(np.nextafter(score.max(), np.inf))


def judge_threshold(label: Any, score: Any, threshold: float, costs: Costs) -> dict[str, float]:
    """Give the confusion matrix at a threshold and what its mistakes cost."""
    label, taken = np.asarray(label) > 0, np.asarray(score) >= threshold
    found, wasted = int((label & taken).sum()), int((~label & taken).sum())
    missed, left = int((label & ~taken).sum()), int((~label & ~taken).sum())
    return {
        "threshold": threshold,
        "found": found,
        "wasted": wasted,
        "missed": missed,
        "left": left,
        "precision": found / (found + wasted) if found + wasted else 0.0,
        "recall": found / (found + missed) if found + missed else 0.0,
        "cost": costs.missed * missed + costs.wasted * wasted,
        "cost_of_nobody": costs.missed * (found + missed),
        "cost_of_everybody": costs.wasted * (wasted + left),
    }


def judge_segments(frame: Any, names: tuple[str, ...], label: Any, score: Any) -> list[dict[str, Any]]:
    """Judge group by group: a model may be good on the whole and wrong for some."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    rows: list[dict[str, Any]] = []
    label, score = np.asarray(label), np.asarray(score, dtype=float)
    for name in names:
        values = frame[name].astype(object).where(frame[name].notna(), "(empty)").astype(str).to_numpy()
        for value, people in zip(*np.unique(values, return_counts=True), strict=True):
            chosen = values == value
            both = len(np.unique(label[chosen] > 0)) == 2
            if people < SEGMENT_FEWEST:
                continue
            did = label[chosen] > 0
            rows.append(
                {
                    "segment": name,
                    "value": str(value),
                    "people": int(people),
                    "predicted": float(score[chosen].mean()),
                    "observed": float(label[chosen].mean()),
                    "roc_auc": float(roc_auc_score(did, score[chosen])) if both else None,
                    "average_precision": float(average_precision_score(did, score[chosen])) if both else None,
                }
            )
    return rows


def _concentration(label: Any, score: Any) -> float:
    gained = np.cumsum(_best_first(label, score)) / label.sum()
    return float((gained - np.arange(1, len(label) + 1) / len(label)).mean())


def _best_first(label: Any, score: Any) -> Any:
    """Give the labels by falling score; among equal scores, whose order is chance, each counts as their mean."""
    _, group = np.unique(score, return_inverse=True)
    mean = np.bincount(group, weights=label) / np.bincount(group)
    return mean[np.sort(group)[::-1]]


def _calibration(label: Any, score: Any) -> tuple[Any, Any, Any]:
    """Give mean score, what came and number of people of bins of equal size by score."""
    order = np.argsort(score, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    predicted, observed = ([values[part].mean() for part in bins] for values in (score, label))
    return np.array(predicted), np.array(observed), np.array([len(part) for part in bins])


def _calibration_error(label: Any, score: Any) -> float:
    """Give the expected calibration error: how far predicted and observed lie apart, by the people of each bin."""
    predicted, observed, people = _calibration(label, score)
    return float(np.average(np.abs(predicted - observed), weights=people))


def _curve(x_label: str, y_label: str, x: Any, y: Any) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return Curve(x_label, y_label, np.asarray(x)[kept].tolist(), np.asarray(y)[kept].tolist())
