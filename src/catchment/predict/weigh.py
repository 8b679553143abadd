"""What each feature is worth, and which of them moved one person's score."""

from typing import Any

import numpy as np
import pyarrow as pa

from catchment.predict.learner import Features, Task, predict

REASONS = 3
REPEATS = 2
SEED = 20


def weigh_features(task: Task, model: Any, frame: Any, label: Any, *, people: int = 1000) -> dict[str, float]:
    """Give how much ROC AUC (for amounts: mean error) is lost when a feature is shuffled, largest first.

    It works for any learner, and on people the model never saw, where a feature learned by heart is worth nothing.
    All shuffled people are scored in one sweep.
    """
    import pandas

    chance = np.random.default_rng(SEED)
    rows = chance.permutation(len(label))[:people]
    if len(np.unique(np.asarray(label)[rows] > 0)) < 2:
        rows = np.arange(len(label))
    whole, label = frame.iloc[rows].reset_index(drop=True), np.asarray(label)[rows]
    shuffled = [whole]
    for name in task.features.names * REPEATS:
        column = whole[name].iloc[chance.permutation(len(rows))].reset_index(drop=True)
        shuffled.append(whole.assign(**{name: column}))
    scores = np.split(np.asarray(predict(task, model, pandas.concat(shuffled, ignore_index=True))), len(shuffled))
    known = _quality(task, label, scores[0])
    lost = np.array([known - _quality(task, label, score) for score in scores[1:]])
    worth = lost.reshape(REPEATS, -1).mean(axis=0)
    return _largest_first(dict(zip(task.features.names, worth.tolist(), strict=True)))


def _quality(task: Task, label: Any, score: Any) -> float:
    from sklearn.metrics import roc_auc_score

    return -float(np.abs(label - score).mean()) if task.is_value else float(roc_auc_score(label, score))


def mean_contributions(contributions: Any, features: Features) -> dict[str, float]:
    """Give by how much each feature moves scores on average, whichever way, largest first."""
    moved = np.abs(contributions).mean(axis=0)
    return _largest_first(dict(zip(features.names, moved.tolist(), strict=True)))


def _largest_first(worth: dict[str, float]) -> dict[str, float]:
    return dict(sorted(worth.items(), key=lambda item: -item[1]))


def tell_reasons(contributions: Any, frame: Any, features: Features) -> pa.Array:
    """Give per person the three features that moved the score most, in plain words: `pages 5 (raises)`."""
    order = np.argpartition(-np.abs(contributions), min(REASONS, contributions.shape[1]) - 1, axis=1)[:, :REASONS]
    size = np.take_along_axis(np.abs(contributions), order, axis=1)
    order = np.take_along_axis(order, np.argsort(-size, axis=1, kind="stable"), axis=1)
    moved = np.take_along_axis(contributions, order, axis=1)
    texts: list[str] = []
    said = np.zeros(order.shape, dtype=np.int64)
    for place, name in enumerate(features.names):
        rows, spots = np.nonzero(order == place)
        codes, distinct = _say(name, frame[name].iloc[rows], is_category=name in features.categories)
        said[rows, spots] = len(texts) + 2 * codes + (moved[rows, spots] > 0)
        texts += [f"{text} ({how})" for text in distinct for how in ("lowers", "raises")]
    is_reason = moved != 0
    offsets = np.concatenate([[0], np.cumsum(is_reason.sum(axis=1))]).astype(np.int32)
    reasons = pa.array(texts, pa.string()).take(pa.array(said[is_reason]))
    return pa.ListArray.from_arrays(pa.array(offsets), reasons)


def _say(name: str, values: Any, *, is_category: bool) -> tuple[Any, list[str]]:
    """Say `first refr medium: search`, once for each distinct value; give each row's place among them."""
    words = name.replace("_in_s", " in seconds").replace("_", " ")
    if is_category:
        codes, distinct = values.factorize(use_na_sentinel=False)
        return codes, [f"{words}: {'none' if value != value or value is None else value}" for value in distinct]
    rounded = values.round(0).where(values.abs() >= 10, values.round(2))
    codes, distinct = rounded.factorize(use_na_sentinel=False)
    return codes, [f"{words}: {'none' if value != value else f'{value:,.10g}'}" for value in distinct]
