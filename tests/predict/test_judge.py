"""Judging scores: against cases whose answer is plain."""

import numpy as np
import pytest

from catchment.predict.judge import POINTS, draw_curves, measure


def test_a_perfect_order_is_judged_perfect() -> None:
    label = np.array([0] * 90 + [1] * 10)
    found = measure(label, np.linspace(0.01, 0.99, 100))
    assert found["roc_auc"] == 1.0
    assert found["average_precision"] == pytest.approx(1.0)
    assert found["lift_at_10"] == pytest.approx(10.0)
    assert found["prevalence"] == 0.1


def test_a_model_that_gives_everybody_the_same_has_no_lift() -> None:
    label = np.array([1] * 10 + [0] * 90)
    found = measure(label, np.full(100, 0.1))
    assert found["roc_auc"] == 0.5
    assert found["lift_at_10"] == pytest.approx(1.0)


def test_true_probabilities_are_calibrated_and_doubled_ones_are_not() -> None:
    chance = np.random.default_rng(1)
    truth = chance.random(20_000) * 0.4
    label = (chance.random(20_000) < truth).astype(int)
    assert measure(label, truth)["calibration_error"] < 0.01
    assert measure(label, truth * 2)["calibration_error"] == pytest.approx(0.2, abs=0.02)


def test_curves_are_thin_enough_to_draw_and_keep_their_ends() -> None:
    chance = np.random.default_rng(1)
    label = chance.integers(0, 2, 5000)
    curves = draw_curves(label, chance.random(5000))
    assert set(curves) == {"roc", "precision_recall", "calibration", "gain", "lift"}
    assert all(len(curve.x) == len(curve.y) <= POINTS for curve in curves.values())
    assert (curves["roc"].x[0], curves["roc"].y[-1]) == (0.0, 1.0)
    assert (curves["gain"].x[-1], curves["gain"].y[-1], curves["lift"].y[-1]) == (1.0, 1.0, 1.0)
