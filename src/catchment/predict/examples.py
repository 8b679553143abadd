"""People whose future is known by now, with the label that it gave them, parted by time.

A label needs patience: who was observed less than a horizon ago may still convert, so nothing is learned from that
person yet. Slices never overlap in time, because a model is only ever used on people later than those it knows.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import TooFewExamples
from catchment.event import TIMESTAMP
from catchment.lake.engine import Session
from catchment.predict.definition import Prediction
from catchment.predict.learner import Features, Labelled
from catchment.predict.people import choose_features, feature_frame, read_people

Label = npt.NDArray[np.int8]

FEWEST = 50
"""Fewer people than this teach nothing that would hold tomorrow."""


class Slice(NamedTuple):
    """People of one stretch of time and their labels; no person is in two slices."""

    name: str
    people: pa.Table
    label: Label
    first: datetime
    last: datetime

    def labelled(self, features: Features) -> Labelled:
        """Give what a learner sees of the slice."""
        return Labelled(feature_frame(self.people, features), self.label)


class Examples(NamedTuple):
    """Everybody whose horizon has passed, oldest first."""

    features: Features
    clock: datetime
    train: Slice
    validation: Slice
    holdout: Slice

    @property
    def rows(self) -> int:
        """Count the people."""
        return sum(len(part.label) for part in (self.train, self.validation, self.holdout))

    @property
    def positives(self) -> int:
        """Count those who converted."""
        return int(sum(part.label.sum() for part in (self.train, self.validation, self.holdout)))


def read_examples(prediction: Prediction, session: Session, now: datetime) -> Examples:
    """Read, label and part the people; raises TooFewExamples where nothing can be learned or judged."""
    people = read_people(prediction, session)
    features = choose_features(prediction, people.schema)
    clock = observation_clock(prediction, people, now)
    watched = watched_people(prediction, people, clock)
    if watched.num_rows < FEWEST:
        raise _too_few(
            prediction,
            f"{watched.num_rows} people of '{prediction.table}' were watched for {prediction.horizon_days} days by "
            f"{clock:%Y-%m-%d}; {FEWEST} are needed",
        )
    label = label_people(prediction, watched)
    train, validation, holdout = _part(prediction, watched, label)
    return Examples(features, clock, train, validation, holdout)


def observation_clock(prediction: Prediction, people: pa.Table, now: datetime) -> datetime:
    """Give the moment up to which behaviour is known: `now`, or the last that was seen where the lake lags behind."""
    seen = [pc.max(people[name]).as_py() for name in (prediction.observed_tstamp, prediction.target_tstamp)]
    return min([now, max((moment for moment in seen if moment is not None), default=now)])


def watched_people(prediction: Prediction, people: pa.Table, clock: datetime) -> pa.Table:
    """Keep those whose horizon has passed, oldest first."""
    settled = pa.scalar(clock - timedelta(days=prediction.horizon_days), TIMESTAMP)
    observed = prediction.observed_tstamp
    return people.filter(pc.less_equal(people[observed], settled)).sort_by([(observed, "ascending")])


def label_people(prediction: Prediction, people: pa.Table) -> Label:
    """Give 1 to those who converted within the horizon, 0 to all others."""
    horizon = pa.scalar(timedelta(days=prediction.horizon_days), pa.duration("us"))
    within = pc.less_equal(people[prediction.target_tstamp], pc.add(people[prediction.observed_tstamp], horizon))
    label = pc.and_(pc.fill_null(people[prediction.target], False), pc.fill_null(within, False))
    return np.asarray(label.cast(pa.int8()), dtype=np.int8)


def _part(prediction: Prediction, people: pa.Table, label: Label) -> tuple[Slice, Slice, Slice]:
    """Cut at moments, not at rows, so that people of one moment stay together."""
    count, share = people.num_rows, prediction.split
    moments = people[prediction.observed_tstamp].to_numpy()
    held, validated = (
        int(np.searchsorted(moments, moments[int(count * (1 - kept))], side="left"))
        for kept in (share.holdout, share.holdout + share.validation)
    )
    bounds = {"training": (0, validated), "validation": (validated, held), "holdout": (held, count)}
    slices = []
    for name, (start, end) in bounds.items():
        _check(prediction, name, label[start:end])
        part = people.slice(start, end - start)
        observed = part[prediction.observed_tstamp]
        slices.append(Slice(name, part, label[start:end], observed[0].as_py(), observed[-1].as_py()))
    return slices[0], slices[1], slices[2]


def _check(prediction: Prediction, name: str, label: Label) -> None:
    if len(np.unique(label)) < 2:
        raise _too_few(
            prediction,
            f"of {len(label)} people in the {name} slice {int(label.sum())} converted; both kinds are needed",
        )


def _too_few(prediction: Prediction, fact: str) -> TooFewExamples:
    return TooFewExamples(
        f"{prediction.file}: too few examples for '{prediction.name}': {fact}.",
        hint=f"Wait for more visitors, or lower horizon_days in {prediction.file}.",
    )
