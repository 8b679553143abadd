"""Schemas are found, first match first, and judge data."""

import json
from pathlib import Path
from typing import Any

import pytest

from catchment.errors import DefinitionError
from catchment.schema import SchemaSettings
from catchment.schema.key import SchemaKey
from catchment.schema.resolver import Resolver, open_resolver

KEY = SchemaKey.parse("iglu:com.acme/thing/jsonschema/1-0-0")
WEB_PAGE = SchemaKey.parse("iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0")


def write(folder: Path, content: str, key: str = "com.acme/thing/jsonschema/1-0-0") -> Path:
    path = folder / "schemas" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def opened(folder: Path, **settings: Any) -> Resolver:
    return open_resolver(SchemaSettings(**settings), folder)


def test_a_schema_of_the_project_judges_data(tmp_path: Path) -> None:
    write(tmp_path, json.dumps({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}))
    resolver = opened(tmp_path)
    assert KEY is not None
    assert resolver.validate(KEY, {"n": 1}) == []
    faults = resolver.validate(KEY, {"n": "one"})
    assert [(fault.path, fault.keyword) for fault in faults] == [("$.n", "type")]
    assert "one" not in faults[0].message


def test_an_unknown_schema_is_a_fault_that_names_it(tmp_path: Path) -> None:
    assert KEY is not None
    assert opened(tmp_path).validate(KEY, {})[0].code == "unknown_schema"


def test_what_trackers_send_out_of_the_box_is_known(tmp_path: Path) -> None:
    assert WEB_PAGE is not None
    assert opened(tmp_path).validate(WEB_PAGE, {"id": "f3a1d4a0-6d2e-4d3b-9f5e-0d8f6b1f0d10"}) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "is not JSON"), ("[]", "is no object"), ('{"type": "strin"}', "is no JSON Schema")],
)
def test_a_file_that_is_no_schema_is_named_with_the_mend(tmp_path: Path, content: str, says: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DefinitionError) as caught:
        opened(tmp_path)
    assert says in str(caught.value)
    assert path.name in str(caught.value) + caught.value.hint
    assert caught.value.hint


def test_a_file_in_the_wrong_place_is_named(tmp_path: Path) -> None:
    write(tmp_path, "{}", key="com.acme/readme.txt")
    with pytest.raises(DefinitionError, match="is not where a schema stands"):
        opened(tmp_path)


def test_json_nested_without_end_fails_instead_of_being_walked(tmp_path: Path) -> None:
    write(tmp_path, "{}")
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert KEY is not None
    assert opened(tmp_path).validate(KEY, deep)[0].code == "too_deep"
