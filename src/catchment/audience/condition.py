"""The tree of conditions that says who is in an audience; its shape in YAML is its shape here.

Every condition is true or false of a person, never unknown: a comparison with an empty value is false, so that `not`
is the exact complement and `is_not` holds for people whose value is empty.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    Tag,
    model_validator,
)
from pydantic import StrictStr as Text

Value = StrictBool | StrictInt | StrictFloat | datetime | date | Text
Order = StrictInt | StrictFloat | datetime | date | Text


class Node(BaseModel):
    """What all conditions share: no unknown keys, no change once read, YAML's words as keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the conditions inside this one, each with its place below it."""
        yield from ()


class All(Node):
    """True where every condition is."""

    conditions: tuple["Condition", ...] = Field(alias="all", min_length=1)

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the conditions inside this one, each with its place below it."""
        yield from ((f"all[{place}]", condition) for place, condition in enumerate(self.conditions))


class AnyOf(Node):
    """True where at least one condition is."""

    conditions: tuple["Condition", ...] = Field(alias="any", min_length=1)

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the conditions inside this one, each with its place below it."""
        yield from ((f"any[{place}]", condition) for place, condition in enumerate(self.conditions))


class Not(Node):
    """True where the condition is false."""

    condition: "Condition" = Field(alias="not")

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the condition inside this one with its place below it."""
        yield "not", self.condition


class Property(Node):
    """One column compared in one way."""

    column: str
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
    is_null: Literal[True] | None = None
    not_null: Literal[True] | None = None
    within_last_days: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _compares_once(self) -> "Property":
        self.comparison()
        return self

    def comparison(self) -> tuple[str, Any]:
        """Give the one comparison as its word in YAML and what is compared with."""
        words = {name: field.alias or name for name, field in type(self).model_fields.items() if name != "column"}
        stated = [(word, getattr(self, name)) for name, word in words.items() if getattr(self, name) is not None]
        if len(stated) != 1:
            raise ValueError(f"needs exactly one comparison: {', '.join(words.values())}")
        return stated[0]


class Range(Node):
    """Bounds on a whole number; all that are stated hold."""

    equals: StrictInt | None = Field(default=None, alias="is")
    gt: StrictInt | None = None
    gte: StrictInt | None = None
    lt: StrictInt | None = None
    lte: StrictInt | None = None

    @model_validator(mode="after")
    def _is_bounded(self) -> "Range":
        if not self.bounds():
            raise ValueError("needs at least one of: is, gt, gte, lt, lte")
        return self

    def bounds(self) -> dict[str, int]:
        """Give the stated bounds by their word."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Related(Node):
    """The number of a person's rows in a related table, counting those for which `where` is true."""

    related: str
    count: Range = Range(gte=1)
    where: "Condition | None" = None

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the condition on related rows, where there is one, with its place below this one."""
        if self.where is not None:
            yield "where", self.where


class Score(Node):
    """The person's latest score by one prediction; false for people that it has not scored."""

    score: str
    label: tuple[Literal["Low", "Medium", "High"], ...] | None = Field(default=None, min_length=1)
    decile: Range | None = Field(default=None, description="10 is the highest tenth.")

    @model_validator(mode="after")
    def _says_which(self) -> "Score":
        if self.label is None and self.decile is None:
            raise ValueError("needs at least one of: label, decile")
        return self


class MemberOf(Node):
    """True of those who are in another audience now."""

    member_of: str


KINDS: dict[str, type[Node]] = {
    "all": All,
    "any": AnyOf,
    "not": Not,
    "column": Property,
    "related": Related,
    "score": Score,
    "member_of": MemberOf,
}
"""The key that tells a condition's kind, and the kind."""


def tell_kind(value: Any) -> str | None:
    """Give the key that tells which kind of condition this is, None where no key does."""
    if isinstance(value, Node):
        return next(mark(key) for key, kind in KINDS.items() if isinstance(value, kind))
    return next((mark(key) for key in KINDS if key in value), None) if isinstance(value, dict) else None


def mark(key: str) -> str:
    """Mark a kind, so that it is told from the key of the same name in the place of a fault."""
    return f"<{key}>"


Condition = Annotated[
    Annotated[All, Tag(mark("all"))]
    | Annotated[AnyOf, Tag(mark("any"))]
    | Annotated[Not, Tag(mark("not"))]
    | Annotated[Property, Tag(mark("column"))]
    | Annotated[Related, Tag(mark("related"))]
    | Annotated[Score, Tag(mark("score"))]
    | Annotated[MemberOf, Tag(mark("member_of"))],
    Discriminator(
        tell_kind,
        custom_error_type="unknown_condition",
        custom_error_message=f"needs one of these keys: {', '.join(KINDS)}",
    ),
]

for _kind in (All, AnyOf, Not, Related):
    _kind.model_rebuild()
