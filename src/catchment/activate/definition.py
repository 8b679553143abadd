"""A sync file: whose rows go where, under which names."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from croniter import croniter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catchment.activate import ActivateSettings
from catchment.activate.fields import COLUMN, Empty, Source, as_source, fault_of
from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError

Mode = Literal["mirror", "upsert", "insert", "update", "add", "remove", "snapshot", "event"]
Leave = Literal["remove", "archive", "clear"]


class Guard(BaseModel):
    """A plan that goes beyond these shares of what the destination holds waits for `--confirm`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    remove: float = Field(default=0.3, ge=0, le=1, description="Share of the rows there that one run may take out.")
    change: float = Field(default=1.0, ge=0, le=1, description="Share of the rows there that one run may change.")
    rows: int = Field(default=100, ge=0, description="Fewer rows than this are never held back.")


class Schedule(BaseModel):
    """When a sync is due: at every run, never by itself, at an interval, by cron, after a build or another sync."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    manual: bool = Field(default=False, description="Only when called by name.")
    every: str | None = Field(default=None, pattern=r"^[1-9]\d*(m|h|d)$", description="An interval: 15m, 6h, 1d.")
    cron: str | None = Field(default=None, description="Five fields, in UTC: '0 6 * * 1-5'.")
    after: str | None = Field(default=None, pattern=f"^(build|{COLUMN})$", description="`build`, or another sync.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Schedule":
        if sum((self.manual, self.every is not None, self.cron is not None, self.after is not None)) > 1:
            raise ValueError("give one of manual, every, cron and after")
        if self.cron is not None and not croniter.is_valid(self.cron):
            raise ValueError(f"'{self.cron}' is no cron expression; five fields, such as 0 6 * * 1-5")
        return self

    @property
    def is_own(self) -> bool:
        """Say whether it was given any, and is not simply due at every run."""
        return self.manual or any((self.every, self.cron, self.after))


class Alerts(BaseModel):
    """Who hears, once per change of state, that a sync failed, is overdue or is rejected too much, and of recovery."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: tuple[str, ...] = Field(default=(), description="Names under activate.alerts; by default all of them.")
    rejected_share: float = Field(default=0.1, gt=0, le=1, description="A larger share of rejected rows is an alert.")
    overdue: str = Field(default="1d", pattern=r"^[1-9]\d*(m|h|d)$", description="So long after it was due.")


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
    mode: Mode = Field(default="mirror", description="What is done there; docs/activate.md has the table.")
    on_leave: Leave = Field(default="remove", description="What mode mirror does with whom we put in once they leave.")
    identifiers: dict[str, str] = Field(min_length=1, description="How the destination tells rows apart.")
    fields: dict[str, str | Source] = Field(
        default={}, description="What it is told: a column, PREDICTION.score (or .label, ...), or {constant: ...}."
    )
    empty: Empty = Field(default="clear", description="What an empty value does to what we had set there.")
    schedule: Schedule = Field(default=Schedule(), description="When it is due; by default at every run.")
    guard: Guard = Field(default=Guard(), description="How much one run may take out or change unasked.")
    alerts: Alerts = Field(default=Alerts(), description="Who hears of trouble.")
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    @model_validator(mode="after")
    def _is_sensible(self) -> "Sync":
        if self.audience is None and "model" not in self.model_fields_set:
            raise ValueError("name an audience, or the model whose every row is sent")
        twice = self.identifiers.keys() & self.fields.keys()
        if twice:
            raise ValueError(f"'{min(twice)}' is an identifier and a field; keep the identifier")
        if "on_leave" in self.model_fields_set and self.mode != "mirror":
            raise ValueError(f"mode {self.mode} does nothing with leavers; on_leave belongs to mode mirror")
        for name, source in self.sources().items():
            for fault in filter(None, map(fault_of, source.columns())):
                raise ValueError(f"'{name}' names {fault}")
        return self

    def sources(self) -> dict[str, Source]:
        """Give what stands behind each of the destination's names."""
        return {name: as_source(value) for name, value in {**self.identifiers, **self.fields}.items()}

    def columns(self) -> list[str]:
        """Name every column of ours that the payload is made of, each once."""
        return list(dict.fromkeys(column for source in self.sources().values() for column in source.columns()))

    def variables(self) -> list[str]:
        """Name the fields that hold variables of the run: they are filled when a row is sent."""
        return [name for name, source in self.sources().items() if source.has_variable()]

    def empties(self) -> dict[str, Empty]:
        """Say of each field what an empty value does."""
        return {name: as_source(value).empty or self.empty for name, value in self.fields.items()}


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
    faults = error.errors(include_input=False, include_url=False)
    for fault in [fault for fault in faults if fault["type"] != "string_type"] or faults:
        key = ".".join(str(part) for part in fault["loc"] if not _is_type(str(part)))
        reason = "is not a key here" if fault["type"] == "extra_forbidden" else fault["msg"]
        lines.append(f"{place}: {key}: {reason}".replace(": : ", ": ").replace("Value error, ", ""))
    return "\n".join(dict.fromkeys(lines))


def _is_type(part: str) -> bool:
    """Say whether a part of a fault's place is pydantic's word for a type, and no key of the file."""
    return part in ("str", "Source") or part.startswith("function-")


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
