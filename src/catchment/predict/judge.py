"""How good scores are on people that the model never saw, in numbers and in curves."""

from typing import Any, NamedTuple

import numpy as np

POINTS = 200
"""A curve is thinned to this many points: more than a screen shows."""
TOP = 0.1
BINS = 10


class Curve(NamedTuple):
    """One line of a chart, with what its axes mean."""

    x_label: str
    y_label: str
    x: list[float]
    y: list[float]


def measure(label: Any, score: Any) -> dict[str, float]:
    """Give the metrics of scores; `lift_at_10` is how often the top tenth converts, as a multiple of everybody."""
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    label, score = np.asarray(label), np.asarray(score, dtype=float)
    prevalence = float(label.mean())
    top = _best_first(label, score)[: max(1, round(len(label) * TOP))]
    return {
        "roc_auc": float(roc_auc_score(label, score)),
        "average_precision": float(average_precision_score(label, score)),
        "log_loss": float(log_loss(label, score)),
        "brier": float(brier_score_loss(label, score)),
        "lift_at_10": float(top.mean()) / prevalence,
        "calibration_error": _calibration_error(label, score),
        "prevalence": prevalence,
    }


def draw_curves(label: Any, score: Any) -> dict[str, Curve]:
    """Give the curves by which a model is judged, thinned for drawing."""
    from sklearn.metrics import precision_recall_curve, roc_curve

    label, score = np.asarray(label), np.asarray(score, dtype=float)
    false_positive, true_positive, _ = roc_curve(label, score)
    precision, recall, _ = precision_recall_curve(label, score)
    share = np.arange(1, len(label) + 1) / len(label)
    gain = np.cumsum(_best_first(label, score)) / label.sum()
    predicted, observed = _calibration(label, score)
    return {
        "roc": _curve("share of others taken", "share of converters found", false_positive, true_positive),
        "precision_recall": _curve("recall", "precision", recall[::-1], precision[::-1]),
        "calibration": _curve("predicted probability", "observed share", predicted, observed),
        "gain": _curve("share of people, best first", "share of converters found", share, gain),
        "lift": _curve("share of people, best first", "times the average", share, gain / share),
    }


def weigh_features(model: Any, frame: Any, label: Any, *, people: int = 2000, seed: int = 20) -> dict[str, float]:
    """Give what each feature is worth: how much ROC AUC is lost when its values are shuffled, largest first.

    It works for any learner, and on people the model never saw, where a feature learned by heart is worth nothing.
    """
    from sklearn.inspection import permutation_importance

    label = np.asarray(label)
    rows = np.arange(len(label))
    if len(rows) > people:
        chosen = np.random.default_rng(seed).permutation(rows)[:people]
        rows = chosen if len(np.unique(label[chosen])) == 2 else rows
    found = permutation_importance(
        model, frame.iloc[rows], label[rows], scoring="roc_auc", n_repeats=3, random_state=seed
    )
    worth = dict(zip(frame.columns, found.importances_mean.tolist(), strict=True))
    return dict(sorted(worth.items(), key=lambda item: -item[1]))


def _best_first(label: Any, score: Any) -> Any:
    """Give the labels by falling score; among equal scores, whose order is chance, each counts as their mean."""
    _, group = np.unique(score, return_inverse=True)
    mean = np.bincount(group, weights=label) / np.bincount(group)
    return mean[np.sort(group)[::-1]]


def _calibration(label: Any, score: Any) -> tuple[Any, Any]:
    """Give the mean score and the share that converted of people parted into bins of equal size by score."""
    order = np.argsort(score, kind="stable")
    bins = [part for part in np.array_split(order, BINS) if len(part)]
    return np.array([score[part].mean() for part in bins]), np.array([label[part].mean() for part in bins])


def _calibration_error(label: Any, score: Any) -> float:
    predicted, observed = _calibration(label, score)
    return float(np.abs(predicted - observed).mean())


def _curve(x_label: str, y_label: str, x: Any, y: Any) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return Curve(x_label, y_label, np.asarray(x)[kept].tolist(), np.asarray(y)[kept].tolist())
