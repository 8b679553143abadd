"""People whose future is known by now, with the label that it gave them, parted by time and by person.

A label needs patience: who was looked at less than a horizon ago may still convert, so nothing is learned from that
look yet. A model is only ever used on people later than those it knows, so it is judged on later ones; and where
people are looked at more than once, nobody is on both sides.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catchment.errors import TooFewExamples
from catchment.predict.behaviour import MOMENT, PERSON
from catchment.predict.definition import Prediction, near
from catchment.predict.learner import Features, Labelled
from catchment.predict.outcomes import LABEL, known_outcomes
from catchment.predict.people import Lens, choose_features, columns_of_yours, feature_frame, read_examples_table

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

FEWEST = 50
"""Fewer people than this teach nothing that would hold tomorrow."""
FOLDS = 3


class Slice(NamedTuple):
    """Looks of one part; no person is in two slices."""

    name: str
    people: pa.Table
    label: Numbers
    frame: Any

    @property
    def first(self) -> datetime:
        """Give the moment of the first look."""
        first: datetime = self.people[MOMENT][0].as_py()
        return first

    @property
    def last(self) -> datetime:
        """Give the moment of the last look."""
        last: datetime = self.people[MOMENT][-1].as_py()
        return last

    def labelled(self) -> Labelled:
        """Give what a learner sees of the slice."""
        return Labelled(self.frame, self.label)

    def folds(self) -> list[tuple[Rows, Rows]]:
        """Part the looks by person: each fold is the rows to learn from, and those to be judged by it."""
        fold = (_bucket(self.people) * FOLDS).astype(int)
        return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(FOLDS)]


class Examples(NamedTuple):
    """Every look whose horizon has passed, oldest first; `development` is training and validation together.

    `of_yours` are the features that come from tables of the user's own.
    """

    features: Features
    of_yours: frozenset[str]
    clock: datetime
    train: Slice
    validation: Slice
    development: Slice
    holdout: Slice

    @property
    def rows(self) -> int:
        """Count the looks."""
        return len(self.development.label) + len(self.holdout.label)

    @property
    def positives(self) -> int:
        """Count those of whom there is something to foresee."""
        return int((self.development.label > 0).sum() + (self.holdout.label > 0).sum())


def read_examples(prediction: Prediction, lens: Lens) -> Examples:
    """Read, label and part the looks; raises TooFewExamples where nothing can be learned or judged."""
    table = read_examples_table(prediction, lens)
    features = choose_features(prediction, table.schema)
    if table.num_rows < FEWEST:
        raise _too_few(
            prediction,
            f"{table.num_rows} people were watched for {prediction.horizon} days by {lens.clock:%Y-%m-%d}; "
            f"{FEWEST} are needed",
        )
    _require_outcome(prediction, lens, table)
    parts = _part(prediction, table)
    slices = {name: _slice(prediction, name, table.take(rows), features) for name, rows in parts.items()}
    of_yours = frozenset(features.names) & columns_of_yours(prediction, lens)
    return Examples(features, of_yours, lens.clock, **slices)


def _require_outcome(prediction: Prediction, lens: Lens, table: pa.Table) -> None:
    """Name an outcome that the lake does not know at all: it is more often misspelt than rare."""
    outcome = prediction.outcome
    if outcome is None or len(np.unique(table[LABEL].to_numpy() > 0)) > 1:
        return
    name, known = outcome.conversion or outcome.event, known_outcomes(prediction, lens.backend)
    if known and name is not None and name not in known:
        kind = "conversion" if outcome.conversion else "event"
        raise TooFewExamples(
            f"{prediction.file}: outcome.{kind}: the lake has no {kind} '{name}' yet.", hint=near(name, known)
        )


def _part(prediction: Prediction, table: pa.Table) -> dict[str, Rows]:
    moments = table[MOMENT].to_numpy()
    once = len(table[PERSON].unique()) == table.num_rows
    is_grid = len(np.unique(moments)) < table.num_rows / 10
    by_time = once and not is_grid and prediction.kind != "lookalike"
    parts = _by_time(prediction, moments) if by_time else _by_time_and_person(prediction, table, moments)
    return parts | {"development": np.sort(np.concatenate([parts["train"], parts["validation"]]))}


def _by_time(prediction: Prediction, moments: Any) -> dict[str, Rows]:
    """Cut at moments, not at rows, so that looks of one moment stay together."""
    count, share = len(moments), prediction.split
    held, validated = (
        int(np.searchsorted(moments, moments[int(count * (1 - kept))], side="left"))
        for kept in (share.holdout, share.holdout + share.validation)
    )
    rows = np.arange(count)
    return {"train": rows[:validated], "validation": rows[validated:held], "holdout": rows[held:]}


def _by_time_and_person(prediction: Prediction, table: pa.Table, moments: Any) -> dict[str, Rows]:
    """Judge other people, and later; what is learned from was over before the first of them was looked at."""
    share, bucket = prediction.split, _bucket(table)
    held = bucket < share.holdout
    border = np.sort(moments)[int(len(moments) * (1 - share.holdout))]
    settled = moments <= border - np.timedelta64(timedelta(days=prediction.horizon))
    judging = moments >= border
    if prediction.kind == "lookalike":  # Nothing is waited for: everybody is compared as known by now.
        settled = judging = np.ones(len(moments), dtype=bool)
    if not settled.any():
        raise TooFewExamples(
            f"{prediction.file}: no look at people was over before the first of the looks that judge.",
            hint=f"Wait until the lake covers {3 * prediction.horizon} days, or lower horizon_days.",
        )
    chosen = bucket < share.holdout + share.validation
    return {
        "train": np.flatnonzero(settled & ~chosen),
        "validation": np.flatnonzero(settled & chosen & ~held),
        "holdout": np.flatnonzero(judging & held),
    }


def _bucket(table: pa.Table) -> Numbers:
    """Give each person a number from 0 to 1, always the same."""
    import pandas

    hashed = pandas.util.hash_array(np.asarray(table[PERSON].to_pylist(), dtype=object))
    return np.asarray(hashed / 2.0**64, dtype=float)


def _slice(prediction: Prediction, name: str, people: pa.Table, features: Features) -> Slice:
    label = np.asarray(people[LABEL].to_numpy(), dtype=float)
    kinds = len(np.unique(label > 0)) if prediction.is_value else len(np.unique(label))
    if kinds < 2:
        raise _too_few(
            prediction,
            f"of {len(label)} people in the {name} slice {int((label > 0).sum())} did it; both kinds are needed",
        )
    return Slice(name, people, label, feature_frame(people, features))


def _too_few(prediction: Prediction, fact: str) -> TooFewExamples:
    return TooFewExamples(
        f"{prediction.file}: too few examples for '{prediction.name}': {fact}.",
        hint=f"Wait for more visitors, or lower horizon_days in {prediction.file}.",
    )
