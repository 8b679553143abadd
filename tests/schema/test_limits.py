"""A schema that asks for more work than there is time is refused, without doing that work."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catchment.schema.key import Criterion, SchemaKey
from catchment.schema.validate import compile_schema, is_deeper

DOUBLING = {f"d{n}": {"allOf": [{"$ref": f"#/definitions/d{n + 1}"}] * 2} for n in range(60)} | {"d60": {}}
MESH = {f"d{n}": {"type": "object", "properties": {f"p{m}": {"$ref": f"#/definitions/d{m}"} for m in range(12)}}
        for n in range(12)}  # fmt: skip
TWICE_INSIDE = {"allOf": [{"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}}}]}
BOMBS: dict[str, tuple[Any, str]] = {
    "doubling": ({"definitions": DOUBLING, "$ref": "#/definitions/d0"}, "multiply"),
    "doubling at each level of the data": (TWICE_INSIDE, "multiply"),
    "columns without number": ({"definitions": MESH, "$ref": "#/definitions/d0"}, "places"),
    "itself": ({"$ref": "#"}, "without end"),
    "itself by a detour": ({"allOf": [{"anyOf": [{"$ref": "#"}]}]}, "without end"),
    "another document": ({"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}}, "must start with #/"),
    "a file": ({"$ref": "file:///etc/passwd"}, "must start with #/"),
    "nowhere": ({"$ref": "#/definitions/none"}, "nothing stands"),
    "a name of its own": ({"definitions": {"a": {"id": "http://x/"}}, "$ref": "#/definitions/a"}, "may have an id"),
    "a pattern without bound": ({"pattern": "((a{1,1000}){1,1000}){1,1000}"}, "regex"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_schema_bomb_is_refused_and_says_why(name: str) -> None:
    schema, why = BOMBS[name]
    with pytest.raises(ValueError, match=why):
        compile_schema(schema, max_depth=40)


def test_nesting_without_end_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(10_000):
        schema = {"items": schema}
    with pytest.raises(ValueError, match="nested deeper"):
        compile_schema(schema, max_depth=40)


def test_a_tree_may_refer_to_itself() -> None:
    branches = {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "value": {"type": "integer"}}
    tree = compile_schema({"type": "object", "properties": branches}, max_depth=40)
    assert tree.judge({"left": {"value": 1}, "right": {"left": {"value": 2}}}) == []
    assert tree.judge({"left": {"value": "one"}}) != []


def test_a_pattern_that_backtracks_without_end_is_judged_in_bounded_time() -> None:
    assert compile_schema({"pattern": "^(a+)+$"}, max_depth=40).judge("a" * 5000 + "b") != []


@pytest.mark.parametrize(
    "uri",
    [
        "iglu:../x/jsonschema/1-0-0",
        "iglu:./x/jsonschema/1-0-0",
        "iglu:a/b/jsonschema/" + "9" * 5000 + "-0-0",
        "iglu:" + "a" * 300 + "/b/jsonschema/1-0-0",
        "iglu:a/" + "b" * 300 + "/jsonschema/1-0-0",
        "iglu:a/b/jsonschema/0-0-0",
        "iglu:a/b/jsonschema/1-01-0",
        "iglu:a/b/c/d/1-0-0",
    ],
)
def test_a_key_that_is_none_or_leads_elsewhere_is_refused(uri: str) -> None:
    assert SchemaKey.parse(uri) is None


@pytest.mark.parametrize(
    ("criterion", "fits"),
    [
        ("iglu:com.acme/thing/jsonschema/1-0-2", True),
        ("iglu:com.acme/thing/jsonschema/1-*-*", True),
        ("iglu:com.acme/*/jsonschema/*-*-*", True),
        ("iglu:com.acme/thing/jsonschema/1-1-*", False),
        ("iglu:com.other/thing/jsonschema/1-*-*", False),
    ],
)
def test_a_criterion_is_a_pattern_of_keys(criterion: str, fits: bool) -> None:
    pattern, key = Criterion.parse(criterion), SchemaKey.parse("iglu:com.acme/thing/jsonschema/1-0-2")
    assert pattern is not None
    assert key is not None
    assert pattern.matches(key) is fits


def depth(value: object) -> int:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inside is None else 1 + max(map(depth, inside), default=0)


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
)


@given(json, st.integers(0, 6))
def test_json_is_deeper_than_a_level_exactly_where_it_nests_deeper(value, levels):
    assert is_deeper(value, levels) == (depth(value) > levels)


@pytest.mark.parametrize("uri", ["iglu:com.acme/a/jsonschema/1-0-0", "iglu:com.acme/a", "iglu:" + "x" * 10_000])
def test_a_key_that_is_read_again_is_the_same(uri):
    assert SchemaKey.parse(uri) == SchemaKey.parse(uri)
    assert (SchemaKey.parse(uri) is None) == (uri != "iglu:com.acme/a/jsonschema/1-0-0")
