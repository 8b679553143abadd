"""An audience file: its name, whose people it is drawn from, and the conditions that tell who is in it."""

import difflib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from catchment.audience import AudienceSettings
from catchment.audience.condition import KINDS, Condition, MemberOf, Node, mark
from catchment.definition import load_definitions, read_keys
from catchment.errors import DefinitionError


class Audience(BaseModel):
    """One audience as its file declares it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    description: str = ""
    parent: str = Field(default="people", description="The table whose rows are the people; it has a person_id.")
    where: Condition
    file: str = Field(default="", exclude=True, description="Where it is declared; filled when the file is read.")

    def definition(self) -> str:
        """Give the definition as JSON, the same text for the same meaning."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def load_audiences(settings: AudienceSettings, folder: Path) -> list[Audience]:
    """Read every audience file of a project, an audience always after those that it names by `member_of`.

    Raises DefinitionError naming file and key.
    """
    audiences = load_definitions(folder, settings.folder, read_audience)
    return [audiences[name] for name in _in_order(audiences)]


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


def _in_order(audiences: dict[str, Audience]) -> list[str]:
    needs: dict[str, set[str]] = {}
    for audience in audiences.values():
        named = [(place, node.member_of) for place, node in walk(audience.where) if isinstance(node, MemberOf)]
        for place, name in named:
            if name not in audiences:
                raise DefinitionError(
                    f"{audience.file}: {place}.member_of: there is no audience '{name}'.", hint=near(name, audiences)
                )
        needs[audience.name] = {name for _, name in named}
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise DefinitionError(
            f"{audiences[error.args[1][0]].file}: these audiences wait for each other: {circle}.",
            hint="Take one member_of out of the circle.",
        ) from error


def near(name: str, names: Any) -> str:
    """Say which of the names was meant, or which there are."""
    close = difflib.get_close_matches(name, list(names), n=1)
    there_are = f"There are: {', '.join(sorted(names)) or 'none'}."
    return f"Did you mean '{close[0]}'? {there_are}" if close else there_are


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
