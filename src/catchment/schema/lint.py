"""Find what is wrong in a registry's folder, and say in which file and at which place."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from catchment.schema.arrow import snake_case
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.validate import compile_schema

ERROR, WARNING = "error", "warning"
META = "http://iglucentral.com/schemas/com.snowplowanalytics.self-desc/schema/jsonschema/1-0-0#"
FORMATS = frozenset(
    {
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "ipv4", "ipv6"),
        *("uri", "uri-reference", "uuid", "regex", "json-pointer"),
    }
)
_RANGES = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))
_KEYWORDS_OF = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems", "items"),
    "object": ("properties", "required", "additionalProperties", "patternProperties"),
}
_TYPE_TESTS: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


class Finding(NamedTuple):
    """One thing that is wrong (`error`) or doubtful (`warning`)."""

    level: str
    file: str
    place: str
    message: str


def lint_folder(folder: Path, *, max_depth: int) -> list[Finding]:
    """Look at every file of a registry's folder, and at the order of versions; errors first."""
    findings: list[Finding] = []
    keys: list[SchemaKey] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        key = _key_at(path, folder)
        if key is None:
            message = "A schema stands at VENDOR/NAME/jsonschema/MODEL-REVISION-ADDITION, the first at 1-0-0."
            findings.append(Finding(ERROR, str(path), "", message))
            continue
        keys.append(key)
        findings += [
            Finding(level, str(path), place, message) for level, place, message in _lint_file(path, key, max_depth)
        ]
    findings += [Finding(ERROR, str(folder / key.path), "self.version", message) for key, message in _gaps(keys)]
    return sorted(findings, key=lambda finding: (finding.level != ERROR, finding.file, finding.place))


def _key_at(path: Path, folder: Path) -> SchemaKey | None:
    parts = path.relative_to(folder).parts
    return SchemaKey.parse(f"iglu:{'/'.join(parts).removesuffix('.json')}") if len(parts) == 4 else None


def _lint_file(path: Path, key: SchemaKey, max_depth: int) -> Iterator[tuple[str, str, str]]:
    try:
        schema = json.loads(path.read_bytes())
    except ValueError as error:
        yield ERROR, "", f"It is not JSON: {error}."
        return
    if not isinstance(schema, dict):
        yield ERROR, "", "It is no object."
        return
    yield from _lint_self(schema, key)
    try:
        compile_schema(schema, max_depth=max_depth)
    except ValueError as error:
        yield ERROR, "", f"It is no JSON Schema: {error}."
        return
    yield from _lint_node(schema, "$")


def _lint_self(schema: dict[str, Any], key: SchemaKey) -> Iterator[tuple[str, str, str]]:
    expected = {"vendor": key.vendor, "name": key.name, "format": key.format, "version": str(key.version)}
    told = schema.get("self")
    if not isinstance(told, dict):
        yield ERROR, "self", f'It does not say which schema it is: "self": {json.dumps(expected)}.'
    else:
        for name, value in expected.items():
            if told.get(name) != value:
                yield ERROR, f"self.{name}", f"Its place says {value}."
    if "$schema" not in schema:
        yield WARNING, "$schema", f"It does not say which draft it is of; Iglu's is {META}"
    if schema.get("type") != "object":
        yield WARNING, "type", "Data of events and entities is an object."
    if not schema.get("description"):
        yield WARNING, "description", "Nobody will know what it is for."
    superseded = schema.get("$supersedes", [])
    for old in superseded if isinstance(superseded, list) else [superseded]:
        version = SchemaVer.parse(str(old))
        if version is None or version >= key.version:
            yield ERROR, "$supersedes", f"{old} is no version before this one."


def _lint_node(schema: Any, place: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(schema, dict):
        return
    declared = schema.get("type")
    types = {declared} if isinstance(declared, str) else set(declared or ())
    for low, high in _RANGES:
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None and least > most:
            yield ERROR, place, f"{low} {least} is above {high} {most}: nothing fits."
    if "format" in schema and schema["format"] not in FORMATS:
        yield ERROR, f"{place}.format", f"{schema['format']} is no known format, so nothing is held to it."
    for type_, keywords in _KEYWORDS_OF.items():
        allowed = {type_, "integer"} if type_ == "number" else {type_}
        idle = [keyword for keyword in keywords if keyword in schema] if types and not types & allowed else []
        if idle:
            yield ERROR, place, f"{', '.join(idle)} says nothing about {' or '.join(sorted(types))}."
    for value in schema.get("enum", ()) if types else ():
        if not any(_TYPE_TESTS[type_](value) for type_ in types if type_ in _TYPE_TESTS):
            yield ERROR, f"{place}.enum", f"{json.dumps(value)} is none of the type, so it never fits."
    yield from _lint_properties(schema, types, place)


def _lint_properties(schema: dict[str, Any], types: set[str], place: str) -> Iterator[tuple[str, str, str]]:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in properties:
            closed = schema.get("additionalProperties") is False
            end = "and others are refused: nothing fits" if closed else "so it is not stored"
            yield ERROR if closed else WARNING, f"{place}.{name}", f"It is required but not described, {end}."
    columns: dict[str, str] = {}
    for name in properties:
        other = columns.setdefault(snake_case(name), name)
        if other != name:
            yield WARNING, f"{place}.{name}", f"It shares the field {snake_case(name)} with {other}."
    for name, inner in properties.items():
        yield from _lint_node(inner, f"{place}.{name}")
    if isinstance(schema.get("items"), dict):
        yield from _lint_node(schema["items"], f"{place}[]")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for position, choice in enumerate(schema.get(keyword) or ()):
            yield from _lint_node(choice, f"{place}.{keyword}[{position}]")
    for keyword in ("definitions", "$defs"):
        for name, inner in (schema.get(keyword) or {}).items():
            yield from _lint_node(inner, f"{place}.{keyword}.{name}")


def _gaps(keys: list[SchemaKey]) -> Iterator[tuple[SchemaKey, str]]:
    """Name the versions that nothing leads up to: a first one, and each that is not one step after another."""
    names: dict[tuple[str, str, str], list[SchemaKey]] = {}
    for key in sorted(set(keys)):
        names.setdefault(key[:3], []).append(key)
    for versions in names.values():
        if versions[0].version != (1, 0, 0):
            yield versions[0], "The first version of a schema is 1-0-0."
        for old, new in pairwise(versions):
            if new.version not in _next(old.version):
                steps = ", ".join(str(version) for version in _next(old.version))
                yield new, f"After {old.version} comes one of {steps}."


def _next(version: SchemaVer) -> tuple[SchemaVer, ...]:
    model, revision, addition = version
    return SchemaVer(model, revision, addition + 1), SchemaVer(model, revision + 1, 0), SchemaVer(model + 1, 0, 0)
