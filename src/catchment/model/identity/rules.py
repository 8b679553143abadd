"""The project's own word on who is who: a file of pairs that are never, or always, one person."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from catchment.errors import DefinitionError
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.spelling import spell

HINT = "never: [[user_id:ada, user_id:bob]]"
MEANINGS = {
    "never": "these two are not one person, whatever links them",
    "cut": "that these two were seen together means nothing",
    "always": "these two are one person, though nothing links them",
}

Pair = tuple[tuple[str, str], tuple[str, str]]


class PairRules(NamedTuple):
    """Pairs of (kind, value) as the tables spell them."""

    never: tuple[Pair, ...] = ()
    cut: tuple[Pair, ...] = ()
    always: tuple[Pair, ...] = ()


def read_rules(folder: Path, settings: IdentitySettings) -> PairRules:
    """Read the rules of the project in `folder`, none where it has no such file; raises DefinitionError."""
    if settings.rules is None or not (folder / settings.rules).is_file():
        return PairRules()
    path = folder / settings.rules
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except yaml.YAMLError as error:
        raise DefinitionError(f"{path} is not YAML: {error}", hint=f"Write for example `{HINT}`.") from error
    if not isinstance(content, dict) or set(content) - set(MEANINGS):
        kinds = "; ".join(f"{name}: {meaning}" for name, meaning in MEANINGS.items())
        raise DefinitionError(f"{path} may hold only {', '.join(MEANINGS)}.", hint=kinds)
    return PairRules(**{name: tuple(_pairs(content.get(name), settings, f"{path}: {name}")) for name in MEANINGS})


def _pairs(rows: Any, settings: IdentitySettings, place: str) -> Iterator[Pair]:
    if not isinstance(rows or [], list):
        raise DefinitionError(f"{place} is no list of pairs.", hint=f"Write for example `{HINT}`.")
    for number, row in enumerate(rows or [], 1):
        if not isinstance(row, list) or len(row) != 2:
            raise DefinitionError(f"{place}, rule {number} is no pair.", hint=f"Write for example `{HINT}`.")
        one, other = (_identifier(text, settings, f"{place}, rule {number}") for text in row)
        if one == other:
            raise DefinitionError(f"{place}, rule {number} pairs an identifier with itself.", hint="Name two.")
        yield one, other


def _identifier(text: Any, settings: IdentitySettings, place: str) -> tuple[str, str]:
    kind, _, value = str(text).partition(":")
    declared = settings.identifier(kind)
    if not isinstance(text, str) or declared is None or not value:
        names = ", ".join(identifier.name for identifier in settings.identifiers)
        raise DefinitionError(f"{place}: '{text}' is no KIND:VALUE.", hint=f"Kinds are {names}; {HINT}.")
    spelled = spell(value.strip(), declared, settings)
    if spelled is None:
        raise DefinitionError(f"{place}: '{text}' identifies nobody.", hint="It is blocked, or has another form.")
    return kind, spelled
