"""Say what a new version of a schema does to data of the one before: nothing, fail some of it, or need a new column.

By SchemaVer: an ADDITION fits all data there is, a REVISION may not fit some of it, a MODEL cannot share the column.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from catchment.schema.arrow import merge_versions
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.registry import Schema


class Step(IntEnum):
    """How far a version steps ahead; each is breaking for more than the one before."""

    ADDITION = 1
    REVISION = 2
    MODEL = 3


class Change(NamedTuple):
    """One difference between two versions, and the step that it needs."""

    place: str
    needs: Step
    message: str


_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_ANY_CHANGE = (
    *("pattern", "multipleOf", "const", "$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("dependencies", "dependentSchemas", "dependentRequired", "patternProperties", "uniqueItems", "contains"),
)
_STORED_APART = ("date", "date-time")


def step_between(old: SchemaVer, new: SchemaVer) -> Step:
    """Say which step a version declares to be from the one before."""
    if old.model != new.model:
        return Step.MODEL
    return Step.REVISION if old.revision != new.revision else Step.ADDITION


def compare(old: Schema, new: Schema) -> list[Change]:
    """Name the differences between two versions of one schema, what breaks most first."""
    changes = list(_changes(old, new, "$"))
    keys = [SchemaKey("x", "x", "jsonschema", SchemaVer(1, 0, addition)) for addition in (0, 1)]
    stored = merge_versions({keys[0]: old, keys[1]: new})
    if stored[keys[1]].suffix and all(change.needs is not Step.MODEL for change in changes):
        changes.append(Change("$", Step.MODEL, "the data would need a column of another type"))
    return sorted(changes, key=lambda change: (-change.needs, change.place))


def _changes(old: Any, new: Any, place: str) -> Iterator[Change]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        if old != new:
            yield Change(place, Step.REVISION, "it is another schema")
        return
    yield from _types(old, new, place)
    yield from _bounds(old, new, place)
    yield from _enum(old, new, place)
    yield from _properties(old, new, place)
    for keyword in _ANY_CHANGE:
        if old.get(keyword) != new.get(keyword):
            loosened = keyword not in new and keyword not in ("$ref", "then", "else")
            needs = Step.ADDITION if loosened else Step.REVISION
            yield Change(place, needs, f"{keyword} {'went' if loosened else 'changed'}")
    if "items" in old and "items" in new:
        yield from _changes(old["items"], new["items"], f"{place}[]")
    elif "items" in new:
        yield Change(f"{place}[]", Step.MODEL, "items are described now, so they are stored by another type")
    elif "items" in old:
        yield Change(f"{place}[]", Step.MODEL, "items are described no more, so they are stored as text")


def _types(old: Schema, new: Schema, place: str) -> Iterator[Change]:
    before, after = _declared(old), _declared(new)
    told = f"the type was {_named(before)} and is {_named(after)}"
    if before - {"null"} != after - {"null"}:
        yield Change(place, Step.MODEL, told)
    elif "null" in before - after:
        yield Change(place, Step.REVISION, "null is no longer allowed")
    elif "null" in after - before:
        yield Change(place, Step.ADDITION, "null is allowed now")
    formats = (old.get("format"), new.get("format"))
    if formats[0] == formats[1]:
        return
    if set(formats) & set(_STORED_APART):
        yield Change(place, Step.MODEL, f"the format was {formats[0]} and is {formats[1]}: another type of column")
    else:
        needs = Step.ADDITION if formats[1] is None else Step.REVISION
        yield Change(place, needs, f"the format was {formats[0]} and is {formats[1]}")


def _declared(schema: Schema) -> set[str]:
    declared = schema.get("type")
    return {declared} if isinstance(declared, str) else set(declared or ())


def _named(types: Iterable[str]) -> str:
    return " or ".join(sorted(types)) or "anything"


def _bounds(old: Schema, new: Schema, place: str) -> Iterator[Change]:
    for keywords, is_upper in ((_UPPER, True), (_LOWER, False)):
        for keyword in keywords:
            before, after = old.get(keyword), new.get(keyword)
            if before == after:
                continue
            is_tighter = after is not None and (before is None or ((after < before) if is_upper else (after > before)))
            needs = Step.REVISION if is_tighter else Step.ADDITION
            yield Change(place, needs, f"{keyword} was {before} and is {after}")


def _enum(old: Schema, new: Schema, place: str) -> Iterator[Change]:
    before, after = old.get("enum"), new.get("enum")
    if before == after:
        return
    if after is None:
        yield Change(place, Step.ADDITION, "any value is allowed now")
    elif before is None:
        yield Change(place, Step.REVISION, "only some values are allowed now")
    else:
        gone = [value for value in before if value not in after]
        needs = Step.REVISION if gone else Step.ADDITION
        yield Change(place, needs, f"values went: {gone}" if gone else "values were added")


def _properties(old: Schema, new: Schema, place: str) -> Iterator[Change]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    was_open, is_open = (schema.get("additionalProperties", True) is not False for schema in (old, new))
    if was_open != is_open:
        needs = Step.ADDITION if is_open else Step.REVISION
        yield Change(place, needs, f"properties that it does not name are {'allowed' if is_open else 'refused'} now")
    if bool(before) != bool(after) and {"object"} == _declared(new) - {"null"} == _declared(old) - {"null"}:
        yield Change(place, Step.MODEL, "an object that was text gets fields, or the other way round")
    for name in after.keys() - before.keys():
        needs = Step.REVISION if was_open else Step.ADDITION
        why = "; older data may hold it as something else" if was_open else ""
        yield Change(f"{place}.{name}", needs, f"the property is new{why}")
    for name in before.keys() - after.keys():
        needs = Step.ADDITION if is_open else Step.REVISION
        yield Change(f"{place}.{name}", needs, "the property went" + ("" if is_open else " and is refused now"))
    for name in before.keys() & after.keys():
        yield from _changes(before[name], after[name], f"{place}.{name}")
    required = set(new.get("required") or ()) - set(old.get("required") or ())
    for name in required:
        yield Change(f"{place}.{name}", Step.REVISION, "the property is required now")
    for name in set(old.get("required") or ()) - set(new.get("required") or ()):
        yield Change(f"{place}.{name}", Step.ADDITION, "the property is no longer required")
