"""Where events tell identifiers, as the SQL is told of it: of what no event has brought yet nothing is told."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from catchment.errors import DefinitionError
from catchment.model.identity.declared import TRAITS, Identifier, IdentitySettings

TYPED = ("contexts_", "unstruct_event_")


def told_identifiers(
    settings: IdentitySettings, traits: dict[str, list[str]], known: pa.Schema
) -> list[dict[str, Any]]:
    """Give the identifiers that events can tell by now, the strongest first."""
    found = []
    for identifier in settings.identifiers:
        places = [
            place
            for is_hash, sources in ((False, identifier.sources), (True, identifier.hashed_sources))
            for source in _expanded(sources, traits)
            if (place := _place(source, identifier, known, is_hash)) is not None
        ]
        aliases = [_place(source, identifier, known, False) for source in _expanded(identifier.aliases, traits)]
        if places:
            found.append(
                {
                    "name": identifier.name, "normalise": identifier.normalise, "hash": identifier.hash,
                    "places": places, "aliases": [place for place in aliases if place is not None],
                    "blocked": sorted({*settings.blocked, *identifier.blocked}),
                    "blocked_patterns": [*settings.blocked_patterns, *identifier.blocked_patterns],
                }
            )  # fmt: skip
    return found


def identity_columns(identifiers: list[dict[str, Any]]) -> list[str]:
    """Name the columns of events that are read for them."""
    places = [place for each in identifiers for place in (*each["places"], *each["aliases"])]
    return sorted({place["column"].partition(".")[0] for place in places})


def _expanded(sources: list[str], traits: dict[str, list[str]]) -> Iterator[str]:
    for source in sources:
        block, _, name = source.partition(".")
        yield from traits.get(name, []) if block == TRAITS else [source]


def _place(source: str, identifier: Identifier, known: pa.Schema, is_hash: bool) -> dict[str, Any] | None:
    column, _, field = source.partition(".")
    if column not in known.names:
        if column.startswith(TYPED):
            return None
        raise DefinitionError(
            f"model.identity: '{identifier.name}' is told by '{column}', which is no column of events.",
            hint="docs/model.md shows how to name an entity's field.",
        )
    type_ = known.field(column).type
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return {"column": column, "field": field, "hashed": is_hash} if _has(type_.value_type, field) else None
    if pa.types.is_struct(type_):
        return {"column": source, "field": "", "hashed": is_hash} if _has(type_, field) else None
    if field:
        raise DefinitionError(
            f"model.identity: '{identifier.name}' is told by '{source}', but '{column}' has no fields.",
            hint=f"Write `{column}`.",
        )
    return {"column": column, "field": "", "hashed": is_hash}


def _has(type_: pa.DataType, field: str) -> bool:
    return bool(pa.types.is_struct(type_) and type_.get_field_index(field) >= 0)
