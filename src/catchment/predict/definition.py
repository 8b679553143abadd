"""A prediction file: what is to be foreseen, of whom, from what, by which learner, and which model may speak."""

import difflib
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError, PluginError, SettingsError
from catchment.plugin import build_plugin, explain
from catchment.predict import PredictSettings
from catchment.predict.learner import Learner

EVENTS = "events"
"""The source of features that is built in: behaviour up to the moment, from the events themselves."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Outcome(_Part):
    """What is waited for within the horizon; exactly one of the first three, none where the kind needs none."""

    conversion: str | None = Field(default=None, description="A declared conversion, or `any`.")
    event: str | None = Field(default=None, description="Events of this name, or `any`.")
    purchase: Literal[True] | None = Field(default=None, description="A transaction of either e-commerce protocol.")
    value: str | None = Field(
        default=None, description="A number column of events to sum, where `event` is the outcome."
    )
    repeats: bool = Field(default=False, description="Whether people who did it before are asked about again.")
    active_days: int | None = Field(
        default=None,
        gt=0,
        description="Churn: only people seen so many days before the moment; by default the horizon.",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Outcome":
        stated = [name for name in ("conversion", "event", "purchase") if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError("needs exactly one of: conversion, event, purchase")
        return self


class Observe(_Part):
    """When people are looked at to learn from them."""

    every_days: int = Field(default=7, gt=0, description="Days between two looks at everybody; people only.")
    history_days: int = Field(default=180, gt=0, description="How far back the first look is; people only.")
    delay_minutes: int = Field(
        default=60, ge=0, description="How long after a first visit it is looked at: late events must have come."
    )
    most: int = Field(default=300_000, ge=100, description="Looks to learn from; of more, so many are drawn.")


class FeatureChoice(_Part):
    """Which columns the model may read, and where they come from."""

    sources: tuple[str, ...] = Field(
        default=(EVENTS,), min_length=1, description="`events`, and tables of yours or of your dbt models."
    )
    as_of: str = Field(default="observed_tstamp", description="Since when a row of your table was true.")
    known_at: str = Field(default="load_tstamp", description="Since when it was known, where the table has the column.")
    recorded: tuple[str, ...] = Field(
        default=(),
        description="Of these sources, which know no past (`people_traits`), each training and scoring notes the rows "
        "that changed; looks from the first note on are learned from.",
    )
    include: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Only these; without it every number, boolean and text."
    )
    exclude: tuple[str, ...] = Field(default=(), description="Not these.")
    trusted: tuple[str, ...] = Field(default=(), description="Known to tell much, and known in time: no leak.")
    windows_days: tuple[int, ...] = Field(
        default=(7, 30), description="Behaviour of the last so many days; people only."
    )
    heartbeat_s: int = Field(default=10, gt=0, description="As model.heartbeat_s.")
    min_visit_length_s: int = Field(default=5, gt=0, description="As model.min_visit_length_s.")

    @model_validator(mode="after")
    def _records_sources(self) -> "FeatureChoice":
        strange = next((name for name in self.recorded if name == EVENTS or name not in self.sources), None)
        if strange is not None:
            raise ValueError(f"recorded: '{strange}' is no table among the sources")
        return self


class Split(_Part):
    """The shares of people, latest last, that are kept from learning."""

    validation: float = Field(default=0.15, gt=0, lt=0.5, description="Chooses among trials, and when to stop.")
    holdout: float = Field(default=0.25, gt=0, lt=0.5, description="Judges; no model ever learns from it.")


class Search(_Part):
    """How much may be spent on looking for good options of the learner."""

    trials: int = Field(default=20, ge=1, description="Trials in all; the first takes the options as they stand.")
    seconds: float = Field(default=120, gt=0, description="No trial begins later than this.")


class Promote(_Part):
    """When a new model takes the place of the champion."""

    metric: Literal["roc_auc", "average_precision", "f2", "brier", "log_loss", "gini", "mae", "rmse"] | None = Field(
        default=None, description="What it must be better by; by default average_precision, for a value gini."
    )
    by: float = Field(default=0.0, ge=0, description="By how much at least.")


class Costs(_Part):
    """What mistakes cost; they choose the threshold of the confusion matrix."""

    missed: float = Field(default=4.0, gt=0, description="Somebody who would have done it is left out.")
    wasted: float = Field(default=1.0, gt=0, description="Somebody who will not is taken in.")


class Labels(_Part):
    """Where Medium and High begin: at a share of all people by rank, or at a score."""

    by: Literal["rank", "score"] = "rank"
    medium: float = Field(default=0.5, ge=0, description="The share of people below it, or the lowest score.")
    high: float = Field(default=0.8, ge=0, description="The share of people below it, or the lowest score.")

    @model_validator(mode="after")
    def _rises(self) -> "Labels":
        if self.medium > self.high:
            raise ValueError("medium must not be above high")
        return self


class Retrain(_Part):
    """When `catchment run` trains again."""

    every_days: int | None = Field(default=30, gt=0, description="Days after the last training; never where null.")
    drift: float = Field(default=0.25, gt=0, description="The population stability index that is too much.")


class ForeignModel(_Part):
    """A model that somebody else trained, in any registry of MLflow."""

    uri: str = Field(description="As MLflow has it: models:/name/3, models:/name@alias, runs:/..., a folder.")
    registry: str | None = Field(
        default=None, description="Its registry, for example `databricks-uc`; ours by default."
    )


class Prediction(_Part):
    """One prediction as its file declares it."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = ""
    kind: Literal["propensity", "churn", "value", "lookalike"] = "propensity"
    who: Literal["first_touch", "people"] = Field(
        default="first_touch", description="Visitors after their first visit, or everybody again and again."
    )
    outcome: Outcome | None = Field(default=None, description="What is waited for.")
    seed: str | None = Field(default=None, description="Lookalike: the audience that others are to resemble.")
    horizon_days: int | None = Field(default=None, gt=0, le=365, description="How long is waited.")
    observe: Observe = Observe()
    features: FeatureChoice = FeatureChoice()
    learner: dict[str, Any] = Field(default={"type": "lightgbm"}, description="`type` and options of the learner.")
    baseline: dict[str, Any] = Field(default={"type": "logistic"}, description="A second learner to compare with.")
    model: ForeignModel | None = Field(default=None, description="A model of somebody else, instead of a learner.")
    search: Search = Search()
    split: Split = Split()
    promote: Promote = Promote()
    costs: Costs = Costs()
    labels: Labels = Labels()
    segments: tuple[str, ...] = Field(default=(), description="Features by whose values the model is judged too.")
    retrain: Retrain = Retrain()
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Prediction":
        if self.kind == "lookalike":
            if self.seed is None or self.outcome is not None:
                raise ValueError("a lookalike needs `seed: AUDIENCE`, and no outcome")
            return self
        if self.outcome is None or self.horizon_days is None or self.seed is not None:
            raise ValueError(f"a {self.kind} needs `outcome:` and `horizon_days:`, and no seed")
        if self.kind == "churn" and self.who != "people":
            raise ValueError("a churn needs `who: people`")
        return self

    @property
    def horizon(self) -> int:
        """Give the days that are waited for the outcome, 0 where nothing is waited for."""
        return self.horizon_days or 0

    @property
    def is_value(self) -> bool:
        """Say whether an amount is foreseen, not a chance."""
        return self.kind == "value"

    @property
    def metric(self) -> str:
        """Give what a model must be better by to become champion."""
        return self.promote.metric or ("gini" if self.is_value else "average_precision")

    def definition(self) -> str:
        """Give the definition as JSON, the same text for the same meaning."""
        return self.model_dump_json(exclude_none=True)

    def digest(self) -> str:
        """Give a short mark that changes whenever what is learned does."""
        return hashlib.sha256(self.definition().encode()).hexdigest()[:16]


def load_predictions(settings: PredictSettings, folder: Path) -> list[Prediction]:
    """Read every prediction file of a project and build its learners; raises DefinitionError naming file and key."""
    predictions = list(load_definitions(folder, settings.folder, read_prediction).values())
    for prediction in predictions:
        open_learners(prediction, folder)
    return predictions


def read_prediction(path: Path, place: str) -> Prediction:
    """Read one prediction file; `place` is how messages call it."""
    return parse_prediction(read_keys(path, place, start="`name:` and `outcome:`"), place)


def parse_prediction(content: dict[str, Any], place: str) -> Prediction:
    """Make a prediction of the content of a file, or of a form; `place` is how messages call it."""
    if "file" in content:
        raise DefinitionError(f"{place}: file: is not a key of a prediction.", hint="Remove it.")
    try:
        return Prediction.model_validate({**content, "file": place})
    except ValidationError as error:
        message = "\n".join(f"{place}: {line}" for line in explain(error, "").splitlines())
        faults = error.errors(include_input=False, include_url=False)
        unknown = next((fault["loc"] for fault in faults if fault["type"] == "extra_forbidden"), None)
        hint = "docs/predict.md shows every key." if unknown is None else near(str(unknown[-1]), _keys(unknown))
        raise DefinitionError(message, hint=hint) from error


def _keys(place: tuple[int | str, ...]) -> set[str]:
    """Give the keys that there are where an unknown one was found."""
    block: Any = Prediction
    for step in place[:-1]:
        found = block.model_fields[str(step)].annotation
        block = next((one for one in (found, *getattr(found, "__args__", ())) if hasattr(one, "model_fields")), block)
    return set(block.model_fields) - {"file"}


def open_learners(prediction: Prediction, folder: Path) -> tuple[Learner, Learner]:
    """Build the learner of a prediction and its baseline, a project's own `plugins/predict/learners` first."""
    learner = _open(prediction, "learner", prediction.learner, folder)
    return learner, _open(prediction, "baseline", prediction.baseline, folder)


def _open(prediction: Prediction, key: str, options: dict[str, Any], folder: Path) -> Learner:
    place = f"{prediction.file}: {key}"
    if not isinstance(options.get("type"), str):
        raise DefinitionError(f"{place} has no 'type'.", hint="`catchment plugins predict/learners` lists the types.")
    try:
        return cast(Learner, build_plugin("predict/learners", options, place=key, project_folder=folder))
    except PluginError as error:
        raise DefinitionError(f"{place}: {error}", hint=error.hint) from error
    except SettingsError as error:
        message = "\n".join(f"{prediction.file}: {line}" for line in str(error).splitlines())
        raise DefinitionError(message, hint=error.hint) from error


def near(name: str, names: Iterable[str]) -> str:
    """Say which of the names was meant, or which there are."""
    there = sorted(names)
    close = difflib.get_close_matches(name, there, n=1)
    there_are = f"There are: {', '.join(there) or 'none'}."
    return f"Did you mean '{close[0]}'? {there_are}" if close else there_are
