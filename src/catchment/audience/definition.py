"""An audience file: its name, whose people it is drawn from, and the conditions that tell who is in it."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from catchment.audience import AudienceSettings
from catchment.audience.comparison import Strict
from catchment.audience.condition import KINDS, Condition, MemberOf, Node, mark
from catchment.audience.values import near
from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError, SettingsError

HOLDOUT = "holdout"
"""The arm that no destination hears of."""


class Top(Strict):
    """The first rows by a column or a prediction's score, counted or as a share of those for whom `where` is true."""

    by: str | None = Field(default=None, description="A column of the parent.")
    score: str | None = Field(default=None, description="A prediction, to rank by its score.")
    count: int | None = Field(default=None, gt=0)
    percent: float | None = Field(default=None, gt=0, le=100)
    order: Literal["desc", "asc"] = "desc"

    @model_validator(mode="after")
    def _says_by_what_and_how_many(self) -> "Top":
        if (self.by is None) == (self.score is None):
            raise ValueError("needs exactly one of: by, score")
        if (self.count is None) == (self.percent is None):
            raise ValueError("needs exactly one of: count, percent")
        return self


class Split(Strict):
    """Arms of an experiment, in per cent; a person keeps the arm for ever, also when coming back."""

    arms: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], Annotated[float, Field(gt=0)]] = Field(
        default={"treatment": 100.0}, min_length=1, description="Arm to its share of those who are not held out."
    )
    holdout: float = Field(default=10, ge=0, lt=100, description="Per cent of everybody that no destination hears of.")
    stratify: tuple[str, ...] = Field(default=(), description="Columns of the parent within which shares are kept.")

    @model_validator(mode="after")
    def _adds_up(self) -> "Split":
        if HOLDOUT in self.arms:
            raise ValueError(f"the arm '{HOLDOUT}' is set by `holdout`")
        if abs(sum(self.arms.values()) - 100) > 1e-9:
            raise ValueError("the shares of the arms must add up to 100")
        return self

    def shares(self) -> dict[str, float]:
        """Give each arm's share of everybody, adding up to 1; the holdout first."""
        held_out = self.holdout / 100
        others = {name: share / 100 * (1 - held_out) for name, share in self.arms.items()}
        return {HOLDOUT: held_out, **others} if held_out else others


class Audience(Strict):
    """One audience as its file declares it."""

    version: Literal[1] = Field(default=1, description="The version of this grammar.")
    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = ""
    parent: str = Field(default="people", description="The table that members are drawn from.")
    where: Condition
    top: Top | None = None
    cap: int | None = Field(default=None, gt=0, description="At most so many, drawn by a hash that stays the same.")
    split: Split | None = None
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    def definition(self) -> str:
        """Give the definition as JSON, the same text for the same meaning."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)


def load_audiences(settings: AudienceSettings, folder: Path) -> list[Audience]:
    """Read every audience file of a project, an audience always after those that it names by `member_of`.

    Raises DefinitionError naming file and key.
    """
    audiences = load_definitions(folder, settings.folder, read_audience)
    return [audiences[name] for name in _in_order(audiences, settings.priorities)]


def read_audience(path: Path, place: str) -> Audience:
    """Read one audience file; `place` is how messages call it."""
    return parse_audience(read_keys(path, place, start="`name:` and `where:`"), place)


def parse_audience(content: dict[str, Any], place: str) -> Audience:
    """Make an audience of the content of a file, or of a form; `place` is how messages call it."""
    if "file" in content:
        raise DefinitionError(f"{place}: file: is not a key of an audience.", hint="Remove it.")
    try:
        return Audience.model_validate({**content, "file": place})
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False)
        message = "\n".join(f"{place}: {_key(fault['loc'])}: {_reason(fault)}" for fault in faults)
        hint = next((_suggest(fault["loc"]) for fault in faults if fault["type"] == "extra_forbidden"), None)
        raise DefinitionError(message, hint=hint or "docs/audience.md shows every condition.") from error


def walk(condition: Node, place: str = "where") -> Iterator[tuple[str, Node]]:
    """Give a condition and all inside it, each with its place in the file."""
    yield place, condition
    for step, inner in condition.inner():
        yield from walk(inner, f"{place}.{step}")


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of an audience file, for editors and forms."""
    schema = Audience.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _in_order(audiences: dict[str, Audience], priorities: Mapping[str, list[str]]) -> list[str]:
    needs: dict[str, set[str]] = {}
    for audience in audiences.values():
        named = [(place, node.member_of) for place, node in walk(audience.where) if isinstance(node, MemberOf)]
        for place, name in named:
            if name not in audiences:
                raise DefinitionError(
                    f"{audience.file}: {place}.member_of: there is no audience '{name}'.", hint=near(name, audiences)
                )
        needs[audience.name] = {name for _, name in named}
    for title, names in priorities.items():
        for rank, name in enumerate(names):
            if name not in audiences:
                raise SettingsError(
                    f"audience.priorities.{title}: there is no audience '{name}'.", hint=near(name, audiences)
                )
            needs[name] |= set(names[:rank])
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DefinitionError(
            f"{audiences[error.args[1][0]].file}: these audiences wait for each other: {circle}.",
            hint="Take one member_of out of the circle.",
        ) from error


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part}]"
        elif not part.startswith("<"):
            key += f".{part}" if key else part
    return key or "(top)"


def _reason(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "is not a key here"
    return str(fault["msg"]).removeprefix("Value error, ")


def _suggest(location: tuple[int | str, ...]) -> str:
    kinds = [part for part in location if isinstance(part, str) and part.startswith("<")]
    owner = {mark(key): kind for key, kind in KINDS.items()}.get(kinds[-1], Audience) if kinds else Audience
    keys = {field.alias or name for name, field in owner.model_fields.items() if not field.exclude}
    return near(str(location[-1]), keys)
