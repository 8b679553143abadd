"""JSON Schemas become typed columns."""

from typing import Any

import pyarrow as pa
import pytest

from catchment.schema.arrow import column_name, merge_versions, snake_case
from catchment.schema.key import SchemaKey


def key(version: str) -> SchemaKey:
    found = SchemaKey.parse(f"iglu:com.acme/some_Thing/jsonschema/{version}")
    assert found is not None
    return found


def objects(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("targetUrl", "target_url"),
        ("2nd", "_2nd"),
        ("HTMLPage", "html_page"),
        ("a-b", "a_b"),
        ("already_so", "already_so"),
    ],
)
def test_keys_become_snake_case(name: str, column: str) -> None:
    assert snake_case(name) == column


def test_a_column_is_named_after_vendor_name_and_model() -> None:
    assert column_name("contexts", key("2-1-0")) == "contexts_com_acme_some_thing_2"


def test_fields_are_sorted_and_cast() -> None:
    columns = merge_versions(
        {key("1-0-0"): objects(when={"type": "string", "format": "date-time"}, count={"type": "integer"})}
    )
    column = columns[key("1-0-0")]
    assert column.type == pa.struct([("count", pa.int64()), ("when", pa.timestamp("us", "UTC"))])
    value = column.cast({"count": 3, "when": "2026-01-02T03:04:05Z"})
    assert pa.array([value], column.type).to_pylist()[0]["count"] == 3


def test_a_later_version_adds_its_field_for_all() -> None:
    columns = merge_versions(
        {
            key("1-0-0"): objects(b={"type": "string"}),
            key("1-0-1"): objects(b={"type": "string"}, a={"type": "boolean"}),
        }
    )
    assert columns[key("1-0-0")].type == columns[key("1-0-1")].type
    assert columns[key("1-0-0")].type == pa.struct([("b", pa.string()), ("a", pa.bool_())])


def test_a_version_that_changes_a_type_gets_a_column_of_its_own() -> None:
    columns = merge_versions(
        {key("1-0-0"): objects(a={"type": "string"}), key("1-0-1"): objects(a={"type": "integer"})}
    )
    assert columns[key("1-0-0")].suffix == ""
    assert columns[key("1-0-1")].suffix == "_recovered_1_0_1"
