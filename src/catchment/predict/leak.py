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
ALONE_OF_YOURS = 0.92
"""A column of the user's own is believed less: whether its moments are true, nobody here can tell."""
HONEST, DEVIATIONS = 0.85, 3.0
"""Of few people luck makes much: a leak lies so many standard errors above what behaviour alone reaches."""
PURE, SHARE, FEWEST = 0.98, 0.1, 25
"""So does one that singles out a tenth of those who did it, hardly anybody else, and enough not to be luck."""


def refuse_leaks(prediction: Prediction, examples: Examples) -> None:
    """Raise DefinitionError naming every feature that knows the answer, and how it shows."""
    slice_ = examples.development
    rare = slice_.label > 0
    if rare.mean() > 0.5:
        rare = ~rare
    folds = slice_.folds()
    faults = {}
    for name in examples.features.names:
        if name in prediction.features.trusted:
            continue
        limit = ALONE_OF_YOURS if name in examples.of_yours else ALONE
        fault = find_leak(slice_.frame[name], rare, name in examples.features.categories, folds, limit)
        if fault:
            faults[name] = fault
    if faults:
        names = ", ".join(faults)
        raise DefinitionError(
            "\n".join(f"{prediction.file}: features: '{name}' leaks: {fault}." for name, fault in faults.items()),
            hint=f"features.exclude: [{names}] leaves out what is written after the fact; what truly was known by then "
            f"goes into features.trusted.",
        )


def find_leak(
    column: Any, rare: Any, is_category: bool, folds: list[tuple[Any, Any]], limit: float = ALONE_OF_YOURS
) -> str:
    """Say how one column gives the answer away; empty where it does not."""
    codes = column.factorize()[0] if is_category else None
    order = np.asarray(column, dtype=float) if codes is None else _rank_categories(codes, rare, folds)
    empty = np.isnan(order)
    for values in (order, empty.astype(float)):
        if len(np.unique(values[~np.isnan(values)])) < 2:
            continue
        alone = _rank_quality(np.where(np.isnan(values), np.nanmin(values) - 1, values), rare)
        if alone >= limit and alone - DEVIATIONS * _standard_error(alone, rare) > HONEST:
            return f"alone it ranks people with a ROC AUC of {alone:.3f}"
    return _pure_range(order, rare) if codes is None else _pure_group(codes, rare)


def _rank_categories(codes: Any, rare: Any, folds: list[tuple[Any, Any]]) -> Any:
    """Give each row the share of its category, as people of the other folds show it."""
    shares = np.full(len(codes), np.nan)
    group, count = codes + 1, int(codes.max(initial=-1)) + 2
    for known, judged in folds:
        size = np.bincount(group[known], minlength=count)
        did = np.bincount(group[known], weights=rare[known], minlength=count)
        share = np.divide(did, size, out=np.full(count, np.nan), where=size > 0)
        shares[judged] = share[group[judged]]
    return np.where(codes < 0, np.nan, shares)


def _rank_quality(values: Any, rare: Any) -> float:
    from sklearn.metrics import roc_auc_score

    quality = float(roc_auc_score(rare, values))
    return max(quality, 1 - quality)


def _standard_error(area: float, rare: Any) -> float:
    """Give how far a ROC AUC of so many people may be off by chance (Hanley and McNeil, 1982)."""
    did, others = float(rare.sum()), float((~rare).sum())
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (did - 1) * (one - area**2) + (others - 1) * (two - area**2)
    return float(np.sqrt(max(variance, 0.0) / (did * others)))


def _pure_group(codes: Any, rare: Any) -> str:
    """Find one category, emptiness among them, of whom nearly all did it."""
    size, did = np.bincount(codes + 1), np.bincount(codes + 1, weights=rare)
    return _say_pure(size, did, rare)


def _pure_range(values: Any, rare: Any) -> str:
    """Find one value, or one end of the scale, where nearly all did it."""
    known = ~np.isnan(values)
    _, group = np.unique(values[known], return_inverse=True)
    size, did = np.bincount(group), np.bincount(group, weights=rare[known])
    ends = ((size, did), (size.cumsum(), did.cumsum()), (size[::-1].cumsum(), did[::-1].cumsum()))
    return next((said for said in (_say_pure(people, doers, rare) for people, doers in ends) if said), "")


def _say_pure(size: Any, did: Any, rare: Any) -> str:
    pure = (size >= max(FEWEST, SHARE * rare.sum())) & (did >= PURE * size)
    if not pure.any():
        return ""
    place = int(np.argmax(size * pure))
    return f"one range of its values holds {int(size[place])} people, of whom {int(did[place])} did it"
