"""Refuse features that know the answer.

Features from events cannot, for they end at the look. A column of the user's own can: written after the fact, or made
of what defines the outcome. Such a column alone tells the answer better than behaviour ever does.
"""

from typing import Any

import numpy as np

from catchment.errors import DefinitionError
from catchment.predict.definition import Prediction
from catchment.predict.examples import Examples

ALONE = 0.97
"""A feature that ranks people so well all alone knows the answer."""
PURE, SHARE, FEWEST = 0.98, 0.1, 25
"""So does one that singles out a tenth of those who did it, hardly anybody else, and enough not to be luck."""


def refuse_leaks(prediction: Prediction, examples: Examples) -> None:
    """Raise DefinitionError naming the first feature that knows the answer, and how it shows."""
    slice_ = examples.development
    rare = slice_.label > 0
    if rare.mean() > 0.5:
        rare = ~rare
    for name in examples.features.names:
        if name in prediction.features.trusted:
            continue
        fault = find_leak(slice_.frame[name], rare, name in examples.features.categories, slice_.folds())
        if fault:
            raise DefinitionError(
                f"{prediction.file}: features: '{name}' leaks: {fault}.",
                hint=f"Add it to features.exclude; if it truly was known by then, to features.trusted: [{name}].",
            )


def find_leak(column: Any, rare: Any, is_category: bool, folds: list[tuple[Any, Any]]) -> str:
    """Say how one column gives the answer away; empty where it does not."""
    order = _rank_categories(column, rare, folds) if is_category else np.asarray(column, dtype=float)
    empty = np.isnan(order)
    for values in (order, empty.astype(float)):
        if len(np.unique(values[~np.isnan(values)])) < 2:
            continue
        alone = _rank_quality(np.where(np.isnan(values), np.nanmin(values) - 1, values), rare)
        if alone >= ALONE:
            return f"alone it ranks people with a ROC AUC of {alone:.3f}"
    return _pure_group(column.fillna("").rank(method="dense").to_numpy() if is_category else order, rare)


def _rank_categories(column: Any, rare: Any, folds: list[tuple[Any, Any]]) -> Any:
    """Give each row the share of its category, as people of the other folds show it."""
    import pandas

    shares = np.full(len(column), np.nan)
    label = pandas.Series(rare.astype(float), index=column.index)
    for known, judged in folds:
        share = label.iloc[known].groupby(column.iloc[known]).mean()
        shares[judged] = column.iloc[judged].map(share).to_numpy(dtype=float)
    return shares


def _rank_quality(values: Any, rare: Any) -> float:
    from sklearn.metrics import roc_auc_score

    quality = float(roc_auc_score(rare, values))
    return max(quality, 1 - quality)


def _pure_group(values: Any, rare: Any) -> str:
    """Find one value, or one end of the scale, where nearly all did it."""
    enough = max(FEWEST, SHARE * rare.sum())
    known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), dtype=bool)
    _, group = np.unique(values[known], return_inverse=True)
    size, did = np.bincount(group), np.bincount(group, weights=rare[known])
    ends = ((size, did), (size.cumsum(), did.cumsum()), (size[::-1].cumsum(), did[::-1].cumsum()))
    for people, doers in ends:
        pure = (people >= enough) & (doers >= PURE * people)
        if pure.any():
            place = int(np.argmax(people * pure))
            return f"one range of its values holds {int(people[place])} people, of whom {int(doers[place])} did it"
    return ""
