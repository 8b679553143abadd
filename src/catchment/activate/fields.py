"""What a destination is told: a column, a constant, a variable of the run, a Liquid template, or a nest of these."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Literal

from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError
from pydantic import BaseModel, ConfigDict, Field, model_validator

COLUMN = r"[a-z_][a-z0-9_]*"
REFERENCE = re.compile(rf"{COLUMN}(\.{COLUMN})?")
SCORE_COLUMNS = ("score", "decile", "label", "scored_at", "model_name", "model_version")
KINDS = ("column", "constant", "variable", "template", "object", "array")

Empty = Literal["clear", "skip", "only_if_empty"]
"""What an empty value does there: clears what we had set, changes nothing, or (any value) fills only what is empty."""
Kind = Literal["text", "integer", "number", "boolean", "date", "timestamp"]
Variable = Literal["run_id", "sync", "audience", "destination", "started_at"]


class Source(BaseModel):
    """Where one value comes from: exactly one of column, constant, variable, template, object and array."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = Field(default=None, description="A column, or PREDICTION.score (or .label, ...).")
    constant: str | bool | int | float | None = Field(default=None, description="The same for every row.")
    variable: Variable | None = Field(
        default=None, description="Of the run: filled as a row is sent; alone it is no reason to send one."
    )
    template: str | None = Field(default=None, description="Liquid over columns: '{{ first_name | capitalize }}'.")
    object: "dict[str, str | Source] | None" = Field(default=None, description="A nested object of such values.")
    array: "list[str | Source] | None" = Field(default=None, description="A list of such values; empty ones drop out.")
    type: Kind | None = Field(default=None, description="Cast to this type; what cannot be leaves the row out.")
    empty: Empty | None = Field(default=None, description="As the sync's `empty`, for this field alone.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> "Source":
        given = self.model_fields_set & set(KINDS)
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(KINDS)}")
        if self.template is not None:
            parse_template(self.template)
        return self

    def __str__(self) -> str:
        """Say in a few words what it is."""
        kind = next(iter(self.model_fields_set & set(KINDS)))
        return str(self.column or f"{kind} {getattr(self, kind)}")

    def columns(self) -> Iterator[str]:
        """Give every column that the value is made of."""
        if self.column is not None:
            yield self.column
        if self.template is not None:
            yield from template_columns(self.template)
        for part in [*(self.object or {}).values(), *(self.array or [])]:
            yield from as_source(part).columns()

    def has_variable(self) -> bool:
        """Say whether a variable of the run is somewhere in it."""
        parts = [*(self.object or {}).values(), *(self.array or [])]
        return self.variable is not None or any(as_source(part).has_variable() for part in parts)


def as_source(value: str | Source) -> Source:
    """Read the short form: a text is the name of a column."""
    return Source(column=value) if isinstance(value, str) else value


def fault_of(column: str) -> str | None:
    """Say what is wrong with the name of a column, None where nothing is."""
    if not REFERENCE.fullmatch(column):
        return f"'{column}', which is no column; columns look like email or buy.score"
    if "." in column and column.split(".")[1] not in SCORE_COLUMNS:
        return f"'{column}'; of a score there are {', '.join(SCORE_COLUMNS)}"
    return None


@cache
def parse_template(text: str) -> BoundTemplate:
    """Parse a Liquid template; raises ValueError naming the fault."""
    try:
        return Environment().from_string(text)
    except LiquidError as error:
        raise ValueError(f"the template is no Liquid: {error}") from error


@cache
def template_columns(text: str) -> tuple[str, ...]:
    """Name the columns that a template reads; `buy.score` is one name."""
    found = parse_template(text).analyze().globals
    names = (".".join(str(part) for part in place.segments[:2]) for places in found.values() for place in places)
    return tuple(dict.fromkeys(names))


def render_template(text: str, row: dict[str, Any]) -> str | None:
    """Fill a template with one row; raises ValueError where a filter cannot take its value."""
    try:
        return parse_template(text).render(**row).strip() or None
    except LiquidError as error:
        raise ValueError(str(error)) from error
