"""Whether people still are as those that a model learned from: the population stability index, feature by feature."""

from typing import Any

import numpy as np
import pandas

from catchment.predict.learner import Features

BINS = 10
VALUES = 20
SCORE = "(score)"
EMPTY, OTHER = "(empty)", "(other)"
FLOOR = 1e-4
STEADY = 0.1
"""Below it a feature counts as steady; from the limit of the prediction on as drifted."""


def describe(frame: Any, features: Features, score: Any) -> dict[str, dict[str, Any]]:
    """Describe people for later comparison: the shares of each feature's values, and of the scores."""
    found = {name: _describe_number(frame[name].to_numpy(dtype=float)) for name in features.numbers}
    found |= {name: _describe_category(frame[name]) for name in features.categories}
    found[SCORE] = _describe_number(np.asarray(score, dtype=float))
    return found


class Tally:
    """Counts people batch by batch in the bins of a description."""

    def __init__(self, reference: dict[str, dict[str, Any]]) -> None:
        self.reference = reference
        self.people = 0
        self.counts = {name: np.zeros(len(part["shares"])) for name, part in reference.items()}

    def add(self, frame: Any, score: Any) -> None:
        """Count one batch."""
        self.people += len(frame)
        for name, part in self.reference.items():
            column = pandas.Series(score) if name == SCORE else frame[name]
            self.counts[name] += _count(column, part)

    def indices(self) -> dict[str, float]:
        """Give the population stability index of each feature and of the scores, largest first."""
        found = {}
        for name, part in self.reference.items():
            was = np.maximum(np.asarray(part["shares"], dtype=float), FLOOR)
            now = np.maximum(self.counts[name] / max(self.people, 1), FLOOR)
            found[name] = float(((now - was) * np.log(now / was)).sum())
        return dict(sorted(found.items(), key=lambda item: -item[1]))


def tell_verdict(index: float, limit: float) -> str:
    """Say in a word how far people have moved."""
    return "drifted" if index >= limit else "moving" if index >= STEADY else "steady"


def _describe_number(values: Any) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.array([])
    part = {"edges": edges.tolist(), "shares": [0.0] * (len(edges) + 2)}
    counts = _count(pandas.Series(values), part)
    return part | {"shares": (counts / max(len(values), 1)).tolist()}


def _describe_category(column: Any) -> dict[str, Any]:
    values = column.dropna().value_counts().index[:VALUES].tolist()
    part = {"values": sorted(map(str, values)), "shares": [0.0] * (len(values) + 2)}
    counts = _count(column, part)
    return part | {"shares": (counts / max(len(column), 1)).tolist()}


def _count(column: Any, part: dict[str, Any]) -> Any:
    """Count per bin; the last two are what was not there before, or lies beyond, and what is empty."""
    size = len(part["shares"])
    if "values" in part:
        places = pandas.Index(part["values"]).get_indexer(column.astype(object))
        places = np.where(column.isna(), size - 1, np.where(places < 0, size - 2, places))
        return np.bincount(places, minlength=size)
    values = column.to_numpy(dtype=float)
    places = np.searchsorted(np.asarray(part["edges"]), values, side="left")
    return np.bincount(np.where(np.isnan(values), size - 1, places), minlength=size)
