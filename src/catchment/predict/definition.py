"""A prediction file: what is to be foreseen, of whom, from what, and by which learner."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError, PluginError, SettingsError
from catchment.plugin import build_plugin, explain
from catchment.predict import PredictSettings
from catchment.predict.learner import Learner


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureChoice(_Part):
    """Which columns the model may read."""

    include: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="Only these; without it every number, boolean and text of the table."
    )
    exclude: tuple[str, ...] = Field(default=(), description="Not these.")


class Split(_Part):
    """The shares of people, latest last, that are kept from learning."""

    validation: float = Field(default=0.15, gt=0, lt=0.5, description="Chooses when to stop.")
    holdout: float = Field(default=0.25, gt=0, lt=0.5, description="Judges; no model ever learns from it.")


class Prediction(_Part):
    """One prediction as its file declares it."""

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = ""
    table: str = Field(default="first_touch_features", description="One row per person, with a person_id.")
    target: str = Field(default="converted", description="True of those who did it after the observation.")
    target_tstamp: str = Field(default="first_conversion_tstamp", description="When they did.")
    target_before: str = Field(default="converted_before", description="True of those who did it before already.")
    observed_tstamp: str = Field(default="observed_tstamp", description="The moment that the features end at.")
    horizon_days: int = Field(gt=0, le=365, description="How many days after the observation count.")
    features: FeatureChoice = FeatureChoice()
    learner: dict[str, Any] = Field(description="`type` and options of the learner.")
    baseline: dict[str, Any] | None = Field(default=None, description="A second learner to compare with.")
    split: Split = Split()
    metric: Literal["roc_auc", "average_precision"] = Field(
        default="roc_auc", description="What a model must be better by to become champion."
    )
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    def definition(self) -> str:
        """Give the definition as JSON, the same text for the same meaning."""
        return self.model_dump_json(exclude_none=True)

    def reserved(self) -> set[str]:
        """Name the columns that tell the answer."""
        return {self.target, self.target_tstamp, self.target_before, self.observed_tstamp}


def load_predictions(settings: PredictSettings, folder: Path) -> list[Prediction]:
    """Read every prediction file of a project and build its learners; raises DefinitionError naming file and key."""
    predictions = list(load_definitions(folder, settings.folder, read_prediction).values())
    for prediction in predictions:
        open_learners(prediction, folder)
    return predictions


def read_prediction(path: Path, place: str) -> Prediction:
    """Read one prediction file; `place` is how messages call it."""
    return parse_prediction(read_keys(path, place, start="`name:` and `horizon_days:`"), place)


def parse_prediction(content: dict[str, Any], place: str) -> Prediction:
    """Make a prediction of the content of a file, or of a form; `place` is how messages call it."""
    if "file" in content:
        raise DefinitionError(f"{place}: file: is not a key of a prediction.", hint="Remove it.")
    try:
        return Prediction.model_validate({**content, "file": place})
    except ValidationError as error:
        message = "\n".join(f"{place}: {line}" for line in explain(error, "").splitlines())
        faults = error.errors(include_input=False, include_url=False)
        unknown = next((str(fault["loc"][-1]) for fault in faults if fault["type"] == "extra_forbidden"), None)
        keys = {*Prediction.model_fields, *FeatureChoice.model_fields, *Split.model_fields} - {"file"}
        hint = "docs/predict.md shows every key." if unknown is None else near(unknown, keys)
        raise DefinitionError(message, hint=hint) from error


def open_learners(prediction: Prediction, folder: Path) -> tuple[Learner, Learner | None]:
    """Build the learner of a prediction and its baseline, a project's own `plugins/predict/learners` first."""
    baseline = None if prediction.baseline is None else _open(prediction, "baseline", prediction.baseline, folder)
    return _open(prediction, "learner", prediction.learner, folder), baseline


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
