"""Definition files: one YAML file for each audience, sync or prediction of a project."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import yaml

from catchment.errors import DefinitionError


class Definition(Protocol):
    """What a file declares; `file` is how messages call the file."""

    @property
    def name(self) -> str:
        """Give the name, which no other file of the folder may have."""
        ...

    @property
    def file(self) -> str:
        """Give the file's path within the project."""
        ...


Declared = TypeVar("Declared", bound=Definition)


def load_definitions(project: Path, folder: str, read: Callable[[Path, str], Declared]) -> dict[str, Declared]:
    """Read every file of a folder, by name; raises DefinitionError where two declare the same name."""
    found: dict[str, Declared] = {}
    for path in sorted((project / folder).glob("*.yml")):
        one = read(path, str(path.relative_to(project)))
        if one.name in found:
            raise DefinitionError(
                f"{one.file}: name: '{one.name}' is the name of {found[one.name].file} too.",
                hint="Give one of them another name.",
            )
        found[one.name] = one
    return found


def read_keys(path: Path, place: str, *, start: str) -> dict[str, Any]:
    """Read the keys of one file; `start` says in the mend how an empty file begins."""
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise DefinitionError(f"{place} is not YAML: {error}", hint="Mend the line it names.") from error
    if not isinstance(content, dict):
        raise DefinitionError(f"{place} holds no keys.", hint=f"Start it with {start}.")
    return content
