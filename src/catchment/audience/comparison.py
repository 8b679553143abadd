"""What a column, a count or a total is compared with: plain values, another column, or a moment relative to now."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, model_validator
from pydantic import StrictStr as Text


class Strict(BaseModel):
    """What all parts of a definition share: no unknown keys, no change once read, YAML's words as keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class OtherColumn(Strict):
    """The value of another column of the same row; a comparison with an empty one is false."""

    column: str


class RelativeMoment(Strict):
    """A moment that moves with the clock; days are of 24 hours."""

    days_ago: StrictInt | StrictFloat | None = None
    days_ahead: StrictInt | StrictFloat | None = None

    @model_validator(mode="after")
    def _says_one(self) -> "RelativeMoment":
        if (self.days_ago is None) == (self.days_ahead is None):
            raise ValueError("needs exactly one of: days_ago, days_ahead")
        return self

    @property
    def days(self) -> float:
        """Give the days from now, negative for the past."""
        return float(self.days_ahead) if self.days_ahead is not None else -float(self.days_ago or 0)


Value = StrictBool | StrictInt | StrictFloat | datetime | date | Text | OtherColumn | RelativeMoment
Order = StrictInt | StrictFloat | datetime | date | Text | OtherColumn | RelativeMoment


class Comparison(Strict):
    """One column compared in exactly one way."""

    column: str = Field(description="A column, or RELATION.COLUMN of a relation to one.")
    equals: Value | None = Field(default=None, alias="is")
    is_not: Value | None = None
    among: tuple[Value, ...] | None = Field(default=None, alias="in", min_length=1)
    not_in: tuple[Value, ...] | None = Field(default=None, min_length=1)
    gt: Order | None = None
    gte: Order | None = None
    lt: Order | None = None
    lte: Order | None = None
    between: tuple[Order, Order] | None = Field(default=None, description="Both ends belong to it.")
    contains: Text | None = Field(default=None, description="Upper and lower case are the same.")
    starts_with: Text | None = None
    ends_with: Text | None = None
    includes: Value | None = Field(default=None, description="True where the column is a list that holds the value.")
    is_null: Literal[True] | None = None
    not_null: Literal[True] | None = None
    within_last_days: int | None = Field(default=None, gt=0)
    within_next_days: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _compares_once(self) -> "Comparison":
        self.comparison()
        return self

    def comparison(self) -> tuple[str, Any]:
        """Give the one comparison as its word in YAML and what is compared with."""
        words = {name: field.alias or name for name, field in Comparison.model_fields.items() if name != "column"}
        stated = [(word, getattr(self, name)) for name, word in words.items() if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(f"needs exactly one comparison: {', '.join(words.values())}")
        return stated[0]


class Stated(Strict):
    """Bounds of which at least one is stated; all that are hold."""

    @model_validator(mode="after")
    def _is_bounded(self) -> "Stated":
        if not self.bounds():
            raise ValueError("needs at least one of: is, gt, gte, lt, lte")
        return self

    def bounds(self) -> dict[str, Any]:
        """Give the stated bounds by their word."""
        words = {name: field.alias or name for name, field in type(self).model_fields.items()}
        return {word: getattr(self, name) for name, word in words.items() if getattr(self, name) is not None}


class Range(Stated):
    """Bounds on a whole number."""

    equals: StrictInt | None = Field(default=None, alias="is")
    gt: StrictInt | None = None
    gte: StrictInt | None = None
    lt: StrictInt | None = None
    lte: StrictInt | None = None


class Bounds(Stated):
    """Bounds on a number or a moment."""

    equals: Order | None = Field(default=None, alias="is")
    gt: Order | None = None
    gte: Order | None = None
    lt: Order | None = None
    lte: Order | None = None


AT_LEAST_ONCE, NEVER = Range(gte=1), Range.model_validate({"is": 0})
