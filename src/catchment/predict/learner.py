"""What every learner offers: past people with their labels become a classifier."""

from typing import Any, ClassVar, NamedTuple

from catchment.plugin import Plugin


class Features(NamedTuple):
    """The columns a model reads: numbers arrive as float64 with NaN for null, categories as text with NaN for null."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Give all columns, numbers first."""
        return [*self.numbers, *self.categories]


class Labelled(NamedTuple):
    """People of one stretch of time: a pandas frame of their features, and per row 1 who converted or 0."""

    frame: Any
    label: Any


class Learner(Plugin):
    """A learner. Its fields are its options in the prediction file.

    A learner imports its library when it fits: being listed must not take seconds. `packages` are the distributions
    that whoever loads its models needs beside pandas.
    """

    packages: ClassVar[tuple[str, ...]] = ("scikit-learn",)

    def fit(self, features: Features, train: Labelled, validation: Labelled, threads: int) -> Any:
        """Give a fitted scikit-learn classifier that takes a frame with the features and perhaps more columns.

        `validation` is later in time than `train`: choose with it when to stop. The classifier is made of public
        parts of libraries only, so that MLflow can load it where Catchment is not installed.
        """
        raise NotImplementedError
