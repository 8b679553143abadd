from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.predict import treeshap
from catchment.predict.treeshap import Shap

ODD = st.sampled_from([np.nan, -np.inf, np.inf, -1.0, 0.0, 1e-300, 2.0, 6.0, 99.0])


def people(count: int, seed: int) -> Any:
    """Two numbers with gaps, a yes or no, and two categories of which some are empty."""
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(count, 2))
    numbers[chance.random(count) < 0.2, 0] = np.nan
    return np.column_stack(
        [
            numbers,
            chance.random(count) < 0.3,
            np.where(chance.random(count) < 0.1, np.nan, chance.integers(0, 12, count)),
            chance.integers(0, 3, count),
        ]
    )


def booster(leaves: int, trees: int = 25) -> lightgbm.Booster:
    rows = people(1500, 1)
    label = (np.nan_to_num(rows[:, 0]) + (rows[:, 3] % 3 == 1) - rows[:, 2] + rows[:, 1] ** 2 > 0.6).astype(int)
    options = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 5, "verbose": -1, "num_threads": 1}
    return lightgbm.train(options, lightgbm.Dataset(rows, label, categorical_feature=[3, 4]), trees)


BOOSTERS = {leaves: booster(leaves) for leaves in (2, 6, 24)}


@pytest.mark.parametrize("leaves", BOOSTERS)
@pytest.mark.parametrize("kinds", [(4096, 1 << 20), (4, 1 << 20), (1, 1)], ids=["all", "those that occur", "sorted"])
def test_each_person_is_given_what_lightgbm_gives(
    monkeypatch: pytest.MonkeyPatch, leaves: int, kinds: tuple[int, int]
) -> None:
    monkeypatch.setattr(treeshap, "KINDS", kinds[0])
    monkeypatch.setattr(treeshap, "COUNTABLE", kinds[1])
    rows, model = people(400, 2), BOOSTERS[leaves]
    wanted = model.predict(rows, pred_contrib=True)[:, :-1]
    np.testing.assert_allclose(Shap(model).values(rows), wanted, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(ODD, ODD, ODD, ODD, ODD), min_size=1, max_size=8))
def test_strange_values_fall_where_lightgbm_lets_them_fall(rows: list[tuple[float, ...]]) -> None:
    strange = np.array(rows)
    strange[:, 3:] = np.where(np.isinf(strange[:, 3:]), np.nan, strange[:, 3:])
    wanted = BOOSTERS[6].predict(strange, pred_contrib=True)[:, :-1]
    np.testing.assert_allclose(Shap(BOOSTERS[6]).values(strange), wanted, atol=1e-12)


def test_a_model_of_one_leaf_moves_nobody() -> None:
    rows = people(300, 3)
    options = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 400}
    flat = lightgbm.train(options, lightgbm.Dataset(rows, rows[:, 2]), 3)
    assert not Shap(flat).values(rows).any()


def test_a_model_scores_as_ever_while_other_threads_ask_for_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treeshap, "KINDS", 1)  # so that every batch asks every tree
    model, rows = BOOSTERS[24], people(3000, 3)
    scores, shap = model.predict(rows, num_threads=1), Shap(model)
    reasons = shap.values(rows)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(shap.values, rows) for _ in range(8)]
        told = [pool.submit(model.predict, rows, num_threads=1) for _ in range(60)]
        assert all(np.array_equal(one.result(), scores) for one in told)
        assert all(np.array_equal(one.result(), reasons) for one in asked)
