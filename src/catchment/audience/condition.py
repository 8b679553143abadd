"""The tree of conditions that says who is in an audience; its shape in YAML is its shape here.

Every condition is true or false of a person, never unknown: a comparison with an empty value is false, so that `not`
is the exact complement and `is_not` holds for people whose value is empty.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from catchment.audience.comparison import AT_LEAST_ONCE, Bounds, Comparison, Range, Strict


class Node(Strict):
    """What all conditions share: the conditions inside them."""

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


class Property(Comparison, Node):
    """One column compared in one way: with a value, another column, or a moment relative to now."""


class Filtered(Node):
    """Rows of another table than the person's own, narrowed by `where`."""

    where: "Condition | None" = None

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the condition on the other table's rows, where there is one, with its place below this one."""
        if self.where is not None:
            yield "where", self.where


class Related(Filtered):
    """The number of a person's rows in a related table, or a total over them, counting those where `where` is true.

    A total over no rows is unknown and compares as false; the number of rows, and of distinct values, is then 0.
    """

    related: str
    count: Range | None = None
    sum: str | None = None
    avg: str | None = None
    min: str | None = None
    max: str | None = None
    distinct: str | None = None
    value: Bounds | None = Field(default=None, description="What the sum, avg, min, max or distinct must be.")

    @model_validator(mode="after")
    def _measures_once(self) -> "Related":
        totals = [name for name in TOTALS if getattr(self, name) is not None]
        if len(totals) > 1 or (totals and self.count is not None):
            raise ValueError(f"needs at most one of: count, {', '.join(TOTALS)}")
        if bool(totals) != (self.value is not None):
            raise ValueError(f"needs `value` and one of {', '.join(TOTALS)} together")
        return self

    def total(self) -> tuple[str, str] | None:
        """Give the total and the column it is taken over, None where rows are counted."""
        return next(((name, getattr(self, name)) for name in TOTALS if getattr(self, name) is not None), None)


TOTALS = ("sum", "avg", "min", "max", "distinct")


class Event(Filtered):
    """Whether, how often and when a person's events of a name happened."""

    event: str | tuple[str, ...]
    count: Range = Field(default=AT_LEAST_ONCE, description="How often; {is: 0} is never.")
    occurrence: Literal["any", "first", "last"] = Field(
        default="any", description="With first or last, the window is about the person's first or last one alone."
    )
    within_last_days: float | None = Field(default=None, gt=0)
    between: tuple[date | datetime, date | datetime] | None = Field(default=None, description="Both ends belong to it.")

    @model_validator(mode="after")
    def _fits(self) -> "Event":
        if self.within_last_days is not None and self.between is not None:
            raise ValueError("needs at most one of: within_last_days, between")
        if self.occurrence != "any" and self.within_last_days is None and self.between is None:
            raise ValueError(f"occurrence {self.occurrence} needs within_last_days or between")
        if self.occurrence != "any" and self.count != AT_LEAST_ONCE:
            raise ValueError(f"occurrence {self.occurrence} is one event, so it takes no count")
        return self

    def names(self) -> tuple[str, ...]:
        """Give the names of the events that are meant."""
        return (self.event,) if isinstance(self.event, str) else self.event


class Step(Filtered):
    """One step of a sequence."""

    event: str | tuple[str, ...]

    def names(self) -> tuple[str, ...]:
        """Give the names of the events that are meant."""
        return (self.event,) if isinstance(self.event, str) else self.event


class NotStep(Strict):
    """The end of a sequence: what did not follow."""

    step: Step = Field(alias="not")


class Sequence(Node):
    """Events in this order, each within `within_days` of the one before it.

    With a last step of `not`, true where the step before it happened, its window is over, and no such event came in it.
    """

    sequence: tuple[Step | NotStep, ...] = Field(min_length=2)
    within_days: float = Field(gt=0)
    within_last_days: float | None = Field(default=None, gt=0, description="When the first step must have happened.")

    @model_validator(mode="after")
    def _denies_only_at_its_end(self) -> "Sequence":
        if any(isinstance(step, NotStep) for step in self.sequence[:-1]):
            raise ValueError("`not` may only be the last step")
        return self

    def steps(self) -> tuple[Step, ...]:
        """Give the steps, also the last that must not follow."""
        return tuple(step.step if isinstance(step, NotStep) else step for step in self.sequence)

    @property
    def is_denied(self) -> bool:
        """Say whether the last step must not follow."""
        return isinstance(self.sequence[-1], NotStep)

    def inner(self) -> "Iterator[tuple[str, Condition]]":
        """Give the conditions on the steps' events, each with its place below this one."""
        for place, step in enumerate(self.steps()):
            if step.where is not None:
                yield f"sequence[{place}].where", step.where


class Score(Node):
    """The person's latest score by one prediction; false for people that it has not scored."""

    score: str
    label: tuple[Literal["Low", "Medium", "High"], ...] | None = Field(default=None, min_length=1)
    decile: Range | None = Field(default=None, description="10 is the highest tenth.")
    value: Bounds | None = Field(default=None, description="The score itself, for example a probability.")

    @model_validator(mode="after")
    def _says_which(self) -> "Score":
        if self.label is None and self.decile is None and self.value is None:
            raise ValueError("needs at least one of: label, decile, value")
        return self


class MemberOf(Node):
    """True of those who are in another audience now, or with `ever`, were at any time."""

    member_of: str
    ever: Literal[True] | None = None


KINDS: dict[str, type[Node]] = {
    "all": All,
    "any": AnyOf,
    "not": Not,
    "column": Property,
    "related": Related,
    "event": Event,
    "sequence": Sequence,
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
    | Annotated[Event, Tag(mark("event"))]
    | Annotated[Sequence, Tag(mark("sequence"))]
    | Annotated[Score, Tag(mark("score"))]
    | Annotated[MemberOf, Tag(mark("member_of"))],
    Discriminator(
        tell_kind,
        custom_error_type="unknown_condition",
        custom_error_message=f"needs one of these keys: {', '.join(KINDS)}",
    ),
]

for _kind in (All, AnyOf, Not, Filtered, Related, Event, Step, NotStep, Sequence):
    _kind.model_rebuild()
