"""Judge data by a JSON Schema: draft 4 as Iglu's schemas are, or the newer draft that a schema names."""

from typing import Any, NamedTuple, NoReturn

import jsonschema_rs

from catchment.schema.limits import DEEPEST_SCHEMA, require_bounded

_NESTS = (dict, list)
_FLAT = frozenset({str, int, float, bool, type(None)})
_SHOWN = 10
"""Faults told about one instance; a thousand wrong rows need no thousand lines."""


class Fault(NamedTuple):
    """One thing that is wrong; it never repeats a value, which may be personal."""

    code: str
    message: str
    schema: str | None = None
    path: str | None = None
    keyword: str | None = None


class Validator:
    """One compiled schema."""

    def __init__(self, compiled: Any, max_depth: int) -> None:
        self._compiled = compiled
        self._max_depth = max_depth

    def judge(self, instance: object) -> list[Fault]:
        """Say what is wrong with `instance`, nothing where it is valid."""
        if is_deeper(instance, self._max_depth):
            return [Fault("too_deep", f"The JSON is nested deeper than {self._max_depth} levels.")]
        if self._compiled.is_valid(instance):
            return []
        faults = []
        for error in self._compiled.iter_errors(instance):
            path = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
            keyword = str(error.schema_path[-1]) if error.schema_path else None
            faults.append(Fault("invalid", _describe(error, path), path=path, keyword=keyword))
            if len(faults) == _SHOWN:
                break
        return faults


def compile_schema(schema: dict[str, Any], *, max_depth: int) -> Validator:
    """Compile a schema; raises ValueError where it is none, refers to another document, or costs without bound."""
    if is_deeper(schema, DEEPEST_SCHEMA):
        raise ValueError(f"it is nested deeper than {DEEPEST_SCHEMA} levels")
    body = {keyword: value for keyword, value in schema.items() if keyword != "self"}
    if "json-schema.org" not in str(body.get("$schema", "")):
        body["$schema"] = "http://json-schema.org/draft-04/schema#"
    require_bounded(body, max_depth=max_depth)
    try:
        draft = jsonschema_rs.validator_cls_for(body)
        return Validator(draft(body, validate_formats=True, retriever=_refuse, mask="the value"), max_depth)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise ValueError(str(error).splitlines()[0]) from error


def is_deeper(value: object, levels: int) -> bool:
    """Say whether objects and arrays are nested deeper than `levels`, without recursion."""
    row: list[Any] = [value] if isinstance(value, _NESTS) else []
    for _ in range(levels):
        if not row:
            return False
        inside: list[Any] = []
        for outer in row:
            items = outer.values() if isinstance(outer, dict) else outer
            if not _FLAT.issuperset(map(type, items)):
                inside += [item for item in items if isinstance(item, _NESTS)]
        row = inside
    return bool(row)


def _describe(error: Any, path: str) -> str:
    keyword = error.schema_path[-1] if error.schema_path else ""
    if keyword == "additionalProperties":
        return f"{path}: holds a property that the schema does not know"
    return f"{path}: {error.message}"


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to another document ({uri})")
