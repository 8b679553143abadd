"""catchment.yml and the environment become typed, frozen blocks, one per stage.

Secrets come only from the environment: `${NAME}` inside a value, or an override such as `CATCHMENT_LAKE__URI`, whose
double underscores part the levels. This is the only module that reads the environment.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catchment.activate import ActivateSettings
from catchment.audience import AudienceSettings
from catchment.collect import CollectSettings
from catchment.enrich import EnrichSettings
from catchment.errors import ProjectNotFound, SettingsError
from catchment.ingest import IngestSettings
from catchment.lake import LakeSettings
from catchment.measure import MeasureSettings
from catchment.model import ModelSettings
from catchment.plugin import explain
from catchment.predict import PredictSettings
from catchment.sandbox import SandboxSettings
from catchment.schema import SchemaSettings
from catchment.serve import ServeSettings

FILE_NAME = "catchment.yml"
PREFIX = "CATCHMENT_"


class UpSettings(BaseModel):
    """What `catchment up` does beside taking events in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_every_minutes: float = Field(
        default=60, ge=0, description="How often it builds, scores, refreshes, syncs and measures; 0 is never."
    )


class Settings(BaseModel):
    """The whole of catchment.yml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="The project's name; it is the `catchment` of nobody else's lake.")
    lake: LakeSettings = LakeSettings()
    schemas: SchemaSettings = SchemaSettings()
    collect: CollectSettings = CollectSettings()
    enrich: EnrichSettings = EnrichSettings()
    ingest: IngestSettings = IngestSettings()
    model: ModelSettings = ModelSettings()
    predict: PredictSettings = PredictSettings()
    audience: AudienceSettings = AudienceSettings()
    activate: ActivateSettings = ActivateSettings()
    measure: MeasureSettings = MeasureSettings()
    serve: ServeSettings = ServeSettings()
    sandbox: SandboxSettings = SandboxSettings()
    up: UpSettings = UpSettings()


def find_project(start: Path) -> Path:
    """Give the nearest folder, here or above, that holds catchment.yml; raises ProjectNotFound."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise ProjectNotFound(
        f"There is no {FILE_NAME} in {start.resolve()} or above.",
        hint="Make a project with `catchment init`, or go to one with `cd` or `--project FOLDER`.",
    )


def load_settings(folder: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of the project in `folder`; raises SettingsError naming file and key."""
    environment = os.environ if environment is None else environment
    path = folder / FILE_NAME
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {error}", hint="Mend the line it names.") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no settings.", hint="Start it with `name: my-project`.")
    content = _interpolate(content, environment, place=FILE_NAME)
    _override(content, environment)
    try:
        return Settings(**content)
    except ValidationError as error:
        raise SettingsError(f"{path}:\n{explain(error, '')}", hint=_suggest(error)) from error


def _interpolate(value: Any, environment: Mapping[str, str], *, place: str) -> Any:
    if isinstance(value, dict):
        return {key: _interpolate(item, environment, place=f"{place}: {key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_interpolate(item, environment, place=place) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if name not in environment and default is None:
            raise SettingsError(f"{place} needs the environment variable {name}.", hint=f"export {name}=...")
        return environment.get(name, default or "")

    return re.sub(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}", replace, value)


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        if not name.startswith(PREFIX):
            continue
        keys = name.removeprefix(PREFIX).lower().split("__")
        if keys[0] not in Settings.model_fields:
            raise SettingsError(
                f"The environment variable {name} is not a setting.",
                hint=f"Unset it, or start it with one of: {', '.join(Settings.model_fields)}.",
            )
        block = content
        for key in keys[:-1]:
            block = block.setdefault(key, {})
            if not isinstance(block, dict):
                raise SettingsError(f"{name} goes below '{key}', which is no block.", hint=f"Unset {name}.")
        block[keys[-1]] = yaml.safe_load(value)


def _block_in(annotation: Any) -> Any:
    """Give the block of settings that a type holds, alone, in a list or as an option; None where it holds none."""
    if hasattr(annotation, "model_fields"):
        return annotation
    return next((block for part in get_args(annotation) if (block := _block_in(part)) is not None), None)


def _suggest(error: ValidationError) -> str:
    for fault in error.errors(include_input=False, include_url=False):
        if fault["type"] != "extra_forbidden":
            continue
        block: Any = Settings
        for part in fault["loc"][:-1]:
            field = getattr(block, "model_fields", {}).get(part)
            block = _block_in(field.annotation) if field is not None else block  # or its place in a list of blocks
        names = list(getattr(block, "model_fields", {}))
        if not names:
            break
        wrong = str(fault["loc"][-1])
        near = difflib.get_close_matches(wrong, names)
        near.sort(key=lambda name: sorted(name) != sorted(wrong))  # two letters that changed places come first
        return f"Did you mean '{near[0]}'?" if near else f"Settings here are: {', '.join(names)}."
    return "docs/settings.md lists every setting."
