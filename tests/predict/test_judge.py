"""Judging scores: against cases whose answer is plain, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, fbeta_score, roc_auc_score

from catchment.predict.definition import Costs
from catchment.predict.judge import (
    POINTS,
    best_f2_threshold,
    cheapest_threshold,
    draw_curves,
    judge_deciles,
    judge_threshold,
    measure,
    measure_amounts,
)
from catchment.predict.resample import CHANCE, draw, intervals, share_better


def people(count: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(seed)
    truth = chance.random(count) * 0.4
    return (chance.random(count) < truth).astype(float), truth


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
    label, truth = people(20_000)
    assert measure(label, truth)["calibration_error"] < 0.01
    assert measure(label, truth * 2)["calibration_error"] == pytest.approx(0.2, abs=0.02)


def test_amounts_ranked_as_they_are_have_a_gini_of_one() -> None:
    amount = np.array([0.0, 0, 0, 0, 5, 10, 20, 100])
    assert measure_amounts(amount, amount)["gini"] == pytest.approx(1.0)
    assert measure_amounts(amount, -amount)["gini"] < 0
    assert measure_amounts(amount, amount * 1.1)["bias"] == pytest.approx(0.1)


def test_curves_are_thin_enough_to_draw_and_keep_their_ends() -> None:
    label, score = people(5000)
    curves = draw_curves(label, score)
    assert set(curves) == {"roc", "precision_recall", "calibration", "gain", "lift"}
    assert all(len(curve.x) == len(curve.y) <= POINTS for curve in curves.values())
    assert (curves["roc"].x[0], curves["roc"].y[-1]) == (0.0, 1.0)
    assert (curves["gain"].x[-1], curves["gain"].y[-1], curves["lift"].y[-1]) == (1.0, 1.0, 1.0)


def test_deciles_add_up_to_everybody() -> None:
    label, score = people(1003)
    rows = judge_deciles(label, score)
    assert sum(row["people"] for row in rows) == 1003
    assert rows[-1]["gain"] == rows[-1]["lift"] == pytest.approx(1.0)
    assert rows[0]["lift"] > rows[-1]["lift"]


@pytest.mark.parametrize("decimals", [1, 6])
def test_no_other_threshold_has_a_larger_f2(decimals: int) -> None:
    label, score = people(300, seed=decimals)
    score = score.round(decimals)
    chosen = fbeta_score(label, score >= best_f2_threshold(label, score), beta=2)
    assert chosen == max(fbeta_score(label, score >= other, beta=2) for other in score)
    assert measure(label, score)["f2"] == chosen
    assert measure(label, score, threshold=0.5)["f2"] == fbeta_score(label, score >= 0.5, beta=2, zero_division=0)


@pytest.mark.parametrize("missed", [0.5, 1.0, 4.0, 50.0])
def test_no_other_threshold_costs_less(missed: float) -> None:
    label, score = people(300, seed=int(missed * 10))
    costs = Costs(missed=missed, wasted=1.0)
    chosen = judge_threshold(label, score, cheapest_threshold(label, score, costs), costs)
    others = [judge_threshold(label, score, other, costs)["cost"] for other in [*score, 2.0]]
    assert chosen["cost"] == min(others)


@pytest.mark.parametrize("decimals", [1, 8])
def test_metrics_of_a_resample_are_those_of_scikit_learn(decimals: int) -> None:
    label, score = people(400)
    score = score.round(decimals)
    draws = draw(400, times=5)
    theirs = {"roc_auc": roc_auc_score, "average_precision": average_precision_score, "brier": brier_score_loss}
    for name, measure_ in CHANCE.items():
        expected = [theirs[name](label, score, sample_weight=weights) for weights in draws]
        assert measure_(label, score, draws) == pytest.approx(expected, abs=1e-4), name


def test_intervals_hold_the_number_and_narrow_with_more_people() -> None:
    wide, narrow = (intervals(*people(count), draw(count), is_value=False)["roc_auc"] for count in (300, 6000))
    label, score = people(6000)
    assert narrow[0] < roc_auc_score(label, score) < narrow[1]
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 2


def test_the_better_model_is_better_in_nearly_every_resample() -> None:
    label, truth = people(3000)
    noise = np.random.default_rng(2).random(3000)
    assert share_better("roc_auc", label, truth, noise, draw(3000)) == 1.0
    assert share_better("brier", label, truth, truth * 2, draw(3000)) == 1.0
    assert share_better("f2", label, truth, noise, draw(3000)) is None
