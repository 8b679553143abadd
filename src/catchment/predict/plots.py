"""Curves and importances as figures, for people who read a run in MLflow."""

from collections.abc import Mapping
from typing import Any

from catchment.predict.judge import Curve

CHANCE = {"roc": ((0, 1), (0, 1)), "calibration": ((0, 1), (0, 1)), "gain": ((0, 1), (0, 1)), "lift": ((0, 1), (1, 1))}
"""Where a model that knows nothing would lie; of a calibration, where a perfect one would."""
SHOWN = 20


def plot_curve(name: str, curve: Curve) -> Any:
    """Draw one curve beside the line of chance."""
    # Margins that hold any number: to have them fitted would draw each figure twice.
    figure, axes = _figure(name.replace("_", " "))
    figure.subplots_adjust(left=0.15, right=0.96, bottom=0.12, top=0.92)
    axes.plot(curve.x, curve.y, marker="o" if name == "calibration" else "")
    if name in CHANCE:
        end = max(curve.x + curve.y) if name == "calibration" else 1
        (left, right), (low, high) = CHANCE[name]
        scale = end if name == "calibration" else 1
        axes.plot((left, right * scale), (low, high * scale), linestyle="--", color="grey")
    axes.set_xlabel(curve.x_label)
    axes.set_ylabel(curve.y_label)
    return figure


def plot_bars(title: str, meaning: str, worth: Mapping[str, float]) -> Any:
    """Draw one bar per feature, the largest on top."""
    figure, axes = _figure(title, layout="constrained")  # names may be long
    shown = list(worth.items())[:SHOWN][::-1]
    axes.barh([name for name, _ in shown], [value for _, value in shown])
    axes.set_xlabel(meaning)
    return figure


def _figure(title: str, **how: Any) -> tuple[Any, Any]:
    # Figure, not pyplot: pyplot keeps every figure in a global list and may want a screen.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), **how)
    axes = figure.add_subplot()
    axes.set_title(title)
    return figure, axes
