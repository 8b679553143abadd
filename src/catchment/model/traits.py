"""Computed traits: columns over people that a project declares in YAML, read and judged."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from catchment.definition import read_keys
from catchment.errors import DefinitionError
from catchment.plugin import explain

EVENTS = "events"
_OF_A_COLUMN = ("sum", "min", "max", "avg", "first", "last", "most_frequent", "distinct")
_ORDERED = ("first", "last", "most_frequent", "days_since")


class Trait(BaseModel):
    """One column of `people_traits`: exactly one measure, over some rows of one table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: Literal[True] | None = Field(default=None, description="How many rows.")
    sum: str | None = Field(default=None, description="The total of a column, or of SQL over columns.")
    min: str | None = Field(default=None, description="The least value.")
    max: str | None = Field(default=None, description="The greatest value.")
    avg: str | None = Field(default=None, description="The mean.")
    first: str | None = Field(default=None, description="The earliest value that is not null.")
    last: str | None = Field(default=None, description="The latest value that is not null.")
    most_frequent: str | None = Field(default=None, description="The commonest value; of equals the one told last.")
    distinct: str | None = Field(default=None, description="How many different values.")
    days_since: Literal["first", "last"] | None = Field(
        default=None, description="Whole days that have passed since the first or last of the rows."
    )
    source: str = Field(default=EVENTS, alias="from", description="A table of the lake, or a dbt model.")
    tstamp: str | None = Field(default=None, description="When a row happened; of events it is derived_tstamp.")
    by: dict[str, str] | None = Field(
        default=None,
        description="Columns of the table, and those of people that they equal. Without it by person_id, or by "
        "domain_userid.",
    )
    where: str | None = Field(default=None, description="Only rows that meet this SQL.")
    within_last_days: float | None = Field(default=None, gt=0, description="Only rows of so many days before now.")
    default: bool | float | str | None = Field(default=None, description="The value of who has no row.")
    description: str = ""
    name: str = Field(default="", exclude=True)
    file: str = Field(default="", exclude=True)

    @model_validator(mode="after")
    def _measures_once(self) -> Self:
        told = [key for key in ("count", *_OF_A_COLUMN, "days_since") if getattr(self, key) is not None]
        if len(told) != 1:
            raise ValueError(f"has {len(told)} measures ({', '.join(told) or 'none'}) where one is needed")
        if self.moment is None and (self.within_last_days is not None or self.measure in _ORDERED):
            raise ValueError(f"needs `tstamp:`, the column of {self.source} that says when a row happened")
        return self

    @property
    def measure(self) -> str:
        """Name what is measured."""
        return next(key for key in ("count", *_OF_A_COLUMN, "days_since") if getattr(self, key) is not None)

    @property
    def value(self) -> str | None:
        """Give the SQL that is measured, None where rows or days are counted."""
        return getattr(self, self.measure) if self.measure in _OF_A_COLUMN else None

    @property
    def moment(self) -> str | None:
        """Name the column that says when a row happened."""
        return self.tstamp or ("derived_tstamp" if self.source == EVENTS else None)

    @property
    def place(self) -> str:
        """Say where it is declared."""
        return f"{self.file}: {self.name}"

    @property
    def is_ordered(self) -> bool:
        """Say whether the order of rows matters to it."""
        return self.measure in ("first", "last", "most_frequent")


def read_traits(project: Path, folder: str | None) -> list[Trait]:
    """Read every file of the folder, each a mapping of names to traits; raises DefinitionError naming file and key."""
    found: dict[str, Trait] = {}
    if folder is None:
        return []
    for path in sorted((project / folder).glob("*.yml")):
        file = str(path.relative_to(project))
        for name, content in read_keys(path, file, start="`NAME_OF_A_TRAIT:`").items():
            trait = _parse(str(name), content, file)
            if trait.name in found:
                raise DefinitionError(
                    f"{trait.place}: is the name of a trait of {found[trait.name].file} too.",
                    hint="Give one of them another name.",
                )
            found[trait.name] = trait
    return list(found.values())


def _parse(name: str, content: Any, file: str) -> Trait:
    place = f"{file}: {name}"
    if not (name.isidentifier() and name.islower() and name.isascii()) or name == "person_id":
        raise DefinitionError(
            f"{place}: cannot be the name of a trait.", hint="Use small letters, digits and _, and not person_id."
        )
    if not isinstance(content, dict):
        raise DefinitionError(f"{place}: holds no keys.", hint=f"Write for example `{name}: {{count: true}}`.")
    for key in ("name", "file", "source"):
        if key in content:
            raise DefinitionError(f"{place}.{key}: is not a key of a trait.", hint=near(key, _keys()))
    try:
        return Trait.model_validate(content).model_copy(update={"name": name, "file": file})
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        unknown = next((str(fault["loc"][-1]) for fault in faults if fault["type"] == "extra_forbidden"), None)
        hint = "docs/model.md shows every key of a trait." if unknown is None else near(unknown, _keys())
        lines = [line.replace("Value error, ", "") for line in explain(error, name).splitlines()]
        raise DefinitionError("\n".join(f"{file}: {line}" for line in lines), hint=hint) from error


def _keys() -> list[str]:
    return [field.alias or key for key, field in Trait.model_fields.items() if key not in ("name", "file")]


def near(name: str, names: Iterable[str]) -> str:
    """Say which of the names was meant, or which there are."""
    there = sorted(names)
    close = difflib.get_close_matches(name, there, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"There are: {', '.join(there) or 'none'}."
