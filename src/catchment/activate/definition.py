"""A sync file: whose rows go where, under which names."""

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catchment.activate import ActivateSettings
from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError

COLUMN = r"[a-z_][a-z0-9_]*"
REFERENCE = re.compile(rf"{COLUMN}(\.{COLUMN})?")
SCORE_COLUMNS = ("score", "decile", "label", "scored_at", "model_name", "model_version")


class Constant(BaseModel):
    """A value that is the same for every row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    constant: str | bool | int | float


class Sync(BaseModel):
    """One sync as its file declares it; `identifiers` and `fields` map the destination's names to ours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = ""
    audience: str | None = Field(default=None, description="Whose current members are sent; without it, every row.")
    model: str = Field(default="people", pattern=f"^{COLUMN}$", description="The table that the columns are of.")
    key: str = Field(default="person_id", pattern=f"^{COLUMN}$", description="The unique column of that table.")
    destination: str
    target: dict[str, Any] = Field(default={}, description="Where inside the destination; each kind has its own keys.")
    mode: Literal["mirror", "upsert"] = Field(
        default="mirror", description="mirror takes out whom we put in once they leave; upsert leaves them."
    )
    identifiers: dict[str, str] = Field(min_length=1, description="How the destination tells rows apart.")
    fields: dict[str, str | Constant] = Field(
        default={}, description="What it is told: a column, PREDICTION.score (or .label, ...), or {constant: ...}."
    )
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    @model_validator(mode="after")
    def _is_sensible(self) -> "Sync":
        if self.audience is None and "model" not in self.model_fields_set:
            raise ValueError("name an audience, or the model whose every row is sent")
        twice = self.identifiers.keys() & self.fields.keys()
        if twice:
            raise ValueError(f"'{min(twice)}' is an identifier and a field; keep the identifier")
        for name, column in self.columns().items():
            if not REFERENCE.fullmatch(column):
                raise ValueError(f"'{name}' names '{column}', which is no column; columns look like email or buy.score")
            if "." in column and column.split(".")[1] not in SCORE_COLUMNS:
                raise ValueError(f"'{name}' names '{column}'; of a score there are {', '.join(SCORE_COLUMNS)}")
        return self

    def columns(self) -> dict[str, str]:
        """Give the column behind each of the destination's names; constants have none."""
        named = {name: value for name, value in self.fields.items() if isinstance(value, str)}
        return {**self.identifiers, **named}

    def constants(self) -> dict[str, str | bool | int | float]:
        """Give the destination's names whose value is the same for every row."""
        return {name: value.constant for name, value in self.fields.items() if isinstance(value, Constant)}


def load_syncs(settings: ActivateSettings, folder: Path) -> list[Sync]:
    """Read every sync file of a project, by name; raises DefinitionError naming file and key."""
    syncs = load_definitions(folder, settings.folder, read_sync)
    return [syncs[name] for name in sorted(syncs)]


def read_sync(path: Path, place: str) -> Sync:
    """Read one sync file; `place` is how messages call it."""
    return parse_sync(read_keys(path, place, start="`name:`, `audience:` and `destination:`"), place)


def parse_sync(content: dict[str, Any], place: str) -> Sync:
    """Make a sync of the content of a file, or of a form; `place` is how messages call it."""
    if "file" in content:
        raise DefinitionError(f"{place}: file: is not a key of a sync.", hint="Remove it.")
    try:
        return Sync(**content, file=place)
    except ValidationError as error:
        raise DefinitionError(say(error, place), hint=_hint(error)) from error


def say(error: ValidationError, place: str) -> str:
    """Say in one line per fault which key is wrong and why."""
    lines = []
    for fault in error.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in fault["loc"] if part not in ("str", "Constant"))
        reason = "is not a key here" if fault["type"] == "extra_forbidden" else fault["msg"]
        lines.append(f"{place}: {key}: {reason}".replace(": : ", ": ").replace("Value error, ", ""))
    return "\n".join(dict.fromkeys(lines))


def near(name: str, names: Iterable[str]) -> str:
    """Say which of the names was meant, or which there are."""
    known = sorted(names)
    close = difflib.get_close_matches(name, known, n=1)
    there_are = f"There are: {', '.join(known) or 'none'}."
    return f"Did you mean '{close[0]}'? {there_are}" if close else there_are


def _hint(error: ValidationError) -> str:
    for fault in error.errors(include_input=False, include_url=False):
        if fault["type"] == "extra_forbidden" and len(fault["loc"]) == 1:
            return near(str(fault["loc"][0]), set(Sync.model_fields) - {"file"})
    return "docs/activate.md shows every key."
