"""A model judged on held-out people: numbers with their intervals, figures, and tables."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from catchment.predict.definition import Prediction
from catchment.predict.examples import Slice
from catchment.predict.judge import (
    Curve,
    draw_curves,
    judge_deciles,
    judge_segments,
    judge_threshold,
    measure,
    measure_amounts,
)
from catchment.predict.plots import plot_bars, plot_curve
from catchment.predict.resample import draw, intervals

WORTH = "ROC AUC lost when shuffled"
MOVED = "mean absolute SHAP value"


class Judgement(NamedTuple):
    """What held-out people say of a model."""

    metrics: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    curves: dict[str, Curve]
    documents: dict[str, Any]

    def logged(self) -> dict[str, float]:
        """Give the metrics with the ends of their 95 % intervals beside them."""
        ends = {
            f"{name}_{end}": value
            for name, pair in self.intervals.items()
            for end, value in zip(("low", "high"), pair, strict=True)
        }
        return self.metrics | ends

    def figures(self, worth: Mapping[str, float], moved: Mapping[str, float]) -> dict[str, Any]:
        """Draw what MLflow shows."""
        drawn = {name: plot_curve(name, curve) for name, curve in self.curves.items()}
        drawn["feature_importance"] = plot_bars("what each feature is worth", WORTH, worth)
        if moved:
            drawn["contributions"] = plot_bars("how far each feature moves scores", MOVED, moved)
        return drawn


class Thresholds(NamedTuple):
    """Where people begin to be taken in, chosen on people unseen in development: by costs, and for F2."""

    cost: float = 0.0
    f2: float | None = None


def judge(prediction: Prediction, held: Slice, score: Any, thresholds: Thresholds) -> Judgement:
    """Judge scores of the holdout."""
    metrics = measures(prediction, held.label, score, thresholds.f2)
    curves = draw_curves(held.label, score, is_value=prediction.is_value)
    documents: dict[str, Any] = {
        "curves": {name: curve._asdict() for name, curve in curves.items()},
        "deciles": {"deciles": judge_deciles(held.label, score)},
        "segments": {"segments": judge_segments(held.frame, prediction.segments, held.label, score)},
    }
    if not prediction.is_value:
        confusion = judge_threshold(held.label, score, thresholds.cost, prediction.costs)
        documents["confusion"] = confusion
        metrics |= {f"threshold_{name}": confusion[name] for name in ("precision", "recall", "cost")}
    found = intervals(held.label, score, draw(len(held.label)), is_value=prediction.is_value)
    return Judgement(metrics, found, curves, documents)


def measures(prediction: Prediction, label: Any, score: Any, threshold: float | None) -> dict[str, float]:
    """Give the metrics that fit the kind of a prediction."""
    return measure_amounts(label, score) if prediction.is_value else measure(label, score, threshold=threshold)
