"""What every learner offers: past people with their labels become a model."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Self

from catchment.plugin import Plugin

PEOPLE_PER_THREAD = 200_000


class Features(NamedTuple):
    """The columns a model reads: numbers arrive as float64 with NaN for null, categories as text with NaN for null."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Give all columns, numbers first."""
        return [*self.numbers, *self.categories]


class Labelled(NamedTuple):
    """People of one stretch of time: a pandas frame of their features, and per row what came of them."""

    frame: Any
    label: Any


class Task(NamedTuple):
    """What is to be learned: from which columns and how many people, a chance (of 0 or 1) or an amount."""

    features: Features
    people: int
    is_value: bool = False
    threads: int = 2

    @property
    def useful_threads(self) -> int:
        """Give how many threads pay: with fewer people, threads wait for each other longer than they work."""
        return min(self.threads, 1 + self.people // PEOPLE_PER_THREAD)


Watch = Callable[[int, float], None]
"""Told each step of a fit and its loss on the validation slice; raises to end a hopeless one."""


class Learner(Plugin):
    """A learner. Its fields are its options in the prediction file.

    A learner imports its library when it builds: being listed must not take seconds. `packages` are the distributions
    that whoever loads its models needs beside pandas. Only `build` must be written; the rest makes a learner that can
    be tuned, and one that can give reasons.
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    def check(self, features: Features) -> None:
        """Raise PluginError where an option names what is no feature; the message begins with the option."""

    def build(self, task: Task) -> Any:
        """Give an unfitted scikit-learn classifier, or regressor for an amount.

        It takes a frame with the features and perhaps more columns, and is made of public parts of libraries only, so
        that MLflow can load it where Catchment is not installed.
        """
        raise NotImplementedError

    def fit_options(self, task: Task) -> dict[str, Any]:
        """Give what `fit` of the built model is to be told beside people and labels."""
        return {}

    def fit(self, task: Task, people: Labelled) -> Any:
        """Build the model and fit it to everybody."""
        return self.build(task).fit(people.frame, people.label, **self.fit_options(task))

    def vary(self, trial: Any) -> Self:
        """Give this learner with options that an Optuna trial draws; those that the file states stay."""
        return self

    def prepare(self, task: Task, train: Labelled, validation: Labelled) -> Any:
        """Do once what every trial would do anew; `settle` gets what this gives."""
        return train, validation

    def settle(self, task: Task, prepared: Any, watch: Watch) -> tuple[Self, float]:
        """Learn from train, stop by validation; give this learner with what was settled, and its validation loss."""
        train, validation = prepared
        model = self.fit(task, train)
        return self, loss(task, validation.label, predict(task, model, validation.frame))

    def explain(self, model: Any, features: Features, frame: Any) -> Any:
        """Give per row and feature by how much it moves the score, in one unit for all; None where nobody can say."""
        return None


def predict(task: Task, model: Any, frame: Any) -> Any:
    """Give the chance, or the amount, of each row."""
    return model.predict(frame) if task.is_value else model.predict_proba(frame)[:, 1]


def loss(task: Task, label: Any, score: Any) -> float:
    """Give what a fit makes small: the log loss of a chance, the mean squared error of an amount."""
    import numpy as np

    label, score = np.asarray(label, dtype=float), np.asarray(score, dtype=float)
    if task.is_value:
        return float(np.mean((label - score) ** 2))
    score = np.clip(score, 1e-9, 1 - 1e-9)
    return float(-np.mean(label * np.log(score) + (1 - label) * np.log(1 - score)))
