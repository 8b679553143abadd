"""What a new version breaks is said before it is published."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.schema.compatibility import Step, compare
from catchment.schema.lint import ERROR, lint_folder
from catchment.schema.validate import compile_schema

BASE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10},
        "size": {"type": ["integer", "null"], "minimum": 0},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def changed(**places: Any) -> dict[str, Any]:
    schema = copy.deepcopy(BASE)
    for place, value in places.items():
        *path, last = place.split("__")
        inner = schema
        for part in path:
            inner = inner[part]
        inner[last] = value
    return schema


@pytest.mark.parametrize(
    ("new", "needs"),
    [
        (changed(properties__more={"type": "string"}), Step.ADDITION),
        (changed(properties__name__maxLength=20), Step.ADDITION),
        (changed(properties__kind__enum=["a", "b", "c"]), Step.ADDITION),
        (changed(required=[]), Step.ADDITION),
        (changed(additionalProperties=True), Step.ADDITION),
        (changed(properties__name__type=["string", "null"]), Step.ADDITION),
        (changed(properties__name__maxLength=5), Step.REVISION),
        (changed(properties__size__type="integer"), Step.REVISION),
        (changed(properties__size__minimum=1), Step.REVISION),
        (changed(properties__kind__enum=["a"]), Step.REVISION),
        (changed(properties__name__pattern="^a"), Step.REVISION),
        (changed(required=["name", "size"]), Step.REVISION),
        (changed(properties={"name": {"type": "string", "maxLength": 10}}), Step.REVISION),
        (changed(properties__size__type="string"), Step.MODEL),
        (changed(properties__size__type=["number", "null"]), Step.MODEL),
        (changed(properties__tags__items={"type": "integer"}), Step.MODEL),
        (changed(properties__name__format="date-time"), Step.MODEL),
    ],
)
def test_a_change_needs_its_step(new: dict[str, Any], needs: Step) -> None:
    assert max(change.needs for change in compare(BASE, new)) is needs


def test_the_same_schema_is_no_change() -> None:
    assert compare(BASE, copy.deepcopy(BASE)) == []


LEAF = st.one_of(
    st.fixed_dictionaries({"type": st.just("string")}, optional={"maxLength": st.integers(1, 4)}),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["integer", ["integer", "null"]])},
        optional={"minimum": st.integers(0, 2), "maximum": st.integers(3, 5)},
    ),
    st.fixed_dictionaries({"enum": st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True)}),
)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object"), "properties": st.dictionaries(st.sampled_from("xyz"), LEAF, min_size=1)},
    optional={
        "required": st.lists(st.sampled_from("xyz"), min_size=1, unique=True),
        "additionalProperties": st.booleans(),
    },
)
DATA = st.dictionaries(st.sampled_from("xyz"), st.one_of(st.none(), st.integers(-1, 6), st.text("abc", max_size=5)))


@settings(max_examples=300)
@given(SCHEMAS, SCHEMAS, st.lists(DATA, max_size=8))
def test_an_addition_fits_all_data_that_the_version_before_allowed(
    old: dict[str, Any], new: dict[str, Any], data: list[Any]
) -> None:
    if any(change.needs > Step.ADDITION for change in compare(old, new)):
        return
    before, after = compile_schema(old, max_depth=40), compile_schema(new, max_depth=40)
    for item in data:
        if before.judge(item) == []:
            assert after.judge(item) == [], (old, new, item)


def put(folder: Path, place: str, schema: Any) -> None:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))


def named(version: str, **schema: Any) -> dict[str, Any]:
    self_ = {"vendor": "com.acme", "name": "thing", "format": "jsonschema", "version": version}
    meta = {"$schema": "http://json-schema.org/draft-04/schema#", "description": "A thing.", "self": self_}
    return {**meta, "type": "object", **schema}


@pytest.mark.parametrize(
    ("version", "schema", "place", "says"),
    [
        ("1-0-0", "{", "", "not JSON"),
        ("1-0-0", named("1-0-1"), "self.version", "1-0-0"),
        ("1-0-0", {"type": "object"}, "self", "which schema it is"),
        ("1-0-0", named("1-0-0", properties={"a": {"type": "strin"}}), "", "no JSON Schema"),
        ("1-0-0", named("1-0-0", properties={"a": {"$ref": "http://x/"}}), "", "must start with"),
        ("1-0-0", named("1-0-0", properties={"a": {"type": "string", "format": "datetime"}}), "$.a.format", "no known"),
        ("1-0-0", named("1-0-0", properties={"a": {"type": "integer", "minimum": 2, "maximum": 1}}), "$.a", "above"),
        ("1-0-0", named("1-0-0", properties={"a": {"type": "integer", "maxLength": 3}}), "$.a", "says nothing"),
        ("1-0-0", named("1-0-0", properties={"a": {"type": "string", "enum": [1]}}), "$.a.enum", "never fits"),
        ("1-0-0", named("1-0-0", required=["b"], additionalProperties=False), "$.b", "not described"),
        ("1-0-0", named("1-0-0", **{"$supersedes": ["1-0-0"]}), "$supersedes", "no version before"),
        ("1-0-1", named("1-0-1"), "self.version", "first version"),
        ("2-0", named("1-0-0"), "", "stands at VENDOR"),
    ],
)
def test_lint_names_file_and_place(tmp_path: Path, version: str, schema: Any, place: str, says: str) -> None:
    put(tmp_path, f"com.acme/thing/jsonschema/{version}", schema)
    errors = [finding for finding in lint_folder(tmp_path, max_depth=40) if finding.level == ERROR]
    assert [(finding.place, says in finding.message) for finding in errors] == [(place, True)]
    assert errors[0].file.endswith(f"com.acme/thing/jsonschema/{version}")


def test_lint_finds_a_gap_between_versions(tmp_path: Path) -> None:
    for version in ("1-0-0", "1-0-1", "1-2-0", "2-0-0"):
        put(tmp_path, f"com.acme/thing/jsonschema/{version}", named(version))
    (finding,) = lint_folder(tmp_path, max_depth=40)
    assert finding.file.endswith("1-2-0")
    assert "1-0-2, 1-1-0, 2-0-0" in finding.message


def test_lint_says_nothing_about_a_sound_folder(tmp_path: Path) -> None:
    put(tmp_path, "com.acme/thing/jsonschema/1-0-0", named("1-0-0", properties={"a": {"type": "string"}}))
    assert lint_folder(tmp_path, max_depth=40) == []
