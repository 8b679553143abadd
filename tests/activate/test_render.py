"""What a field may be, and what it becomes in a payload."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from catchment.activate import ActivateSettings, render
from catchment.activate.definition import Sync, parse_sync
from catchment.activate.destination import Destination, open_destination
from catchment.activate.render import ROW_KEY, fill_variables, render_rows
from catchment.errors import DefinitionError

BRAZE = {"type": "braze", "url": "https://braze.example", "api_key": "k"}


@pytest.fixture(scope="module")
def braze() -> Destination:
    return open_destination(ActivateSettings(destinations={"braze": BRAZE}), "braze", Path())


def declared(**fields: Any) -> Sync:
    content = {"name": "hello", "destination": "braze", "model": "people", "identifiers": {"external_id": "person_id"}}
    return parse_sync({**content, "fields": fields}, "syncs/hello.yml")


def payload(braze: Destination, source: Any, **columns: Any) -> Any:
    rows = pl.DataFrame({ROW_KEY: ["p1"], "person_id": ["p1"], **{name: [value] for name, value in columns.items()}})
    wanted = render_rows(rows, declared(x=source), braze).wanted
    return orjson.loads(wanted["payload"][0])["x"]


@pytest.mark.parametrize(
    ("source", "columns", "value"),
    [
        ("age", {"age": 7}, 7),
        ({"constant": False}, {}, False),
        ({"template": "{{ first_name | upcase }} at {{ buy.label }}"}, {"first_name": "ann", "buy.label": "High"},
         "ANN at High"),
        ({"template": "{% if age > 17 %}adult{% endif %}"}, {"age": 3}, None),
        ({"object": {"city": "city", "geo": {"object": {"zip": "zip"}}}}, {"city": "Ulm", "zip": " "},
         {"city": "Ulm", "geo": {"zip": None}}),
        ({"array": ["a", {"constant": "z"}, "b"]}, {"a": "x", "b": None}, ["x", "z"]),
        ({"column": "age", "type": "integer"}, {"age": " 42 "}, 42),
        ({"column": "age", "type": "text"}, {"age": 42}, "42"),
        ({"column": "on", "type": "boolean"}, {"on": "Yes"}, True),
        ({"column": "day", "type": "date"}, {"day": "2026-05-01T10:00:00Z"}, "2026-05-01"),
        ({"column": "at", "type": "timestamp"}, {"at": date(2026, 5, 1)}, "2026-05-01T00:00:00.000Z"),
        ("at", {"at": datetime(2026, 5, 1, 12, tzinfo=UTC)}, "2026-05-01T12:00:00.000Z"),
        ({"column": "price", "type": "number"}, {"price": "1.5"}, 1.5),
    ],
)  # fmt: skip
def test_a_source_becomes_its_value(braze: Destination, source: Any, columns: dict[str, Any], value: Any) -> None:
    assert payload(braze, source, **columns) == value


def test_a_value_that_cannot_be_made_leaves_its_row_out_with_the_reason(braze: Destination) -> None:
    rows = pl.DataFrame({ROW_KEY: ["a", "b", "c"], "person_id": ["a", "b", "c"], "age": ["7", "old", None]})
    rendered = render_rows(rows, declared(age={"column": "age", "type": "integer"}), braze)
    assert rendered.wanted["row_key"].to_list() == ["a", "c"]
    assert rendered.left_out.rows() == [("b", "not valid: age is no integer")]


def test_a_variable_is_filled_when_sent_and_is_no_reason_to_send(braze: Destination) -> None:
    rows = pl.DataFrame({ROW_KEY: ["a"], "person_id": ["a"]})
    sync = declared(run={"variable": "run_id"}, nest={"object": {"of": {"variable": "sync"}}})
    first, second = (render_rows(rows, sync, braze).wanted for _ in range(2))
    assert first["fingerprint"].to_list() == second["fingerprint"].to_list()
    sent = orjson.loads(fill_variables(first["payload"][0], {"run_id": "r1", "sync": "hello"}))
    assert (sent["run"], sent["nest"]) == ("r1", {"of": "hello"})


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"column": "a", "constant": 1}, "give exactly one of column, constant"),
        ({"template": "{{ a"}, "the template is no Liquid"),
        ({"template": "{{ A }}"}, "which is no column"),
        ({"variable": "moon"}, "fields.x.variable"),
        ({"object": {"a": "b c"}}, "which is no column"),
    ],
)
def test_a_source_that_cannot_be_is_refused_with_file_and_key(source: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as refused:
        declared(x=source)
    assert str(refused.value).startswith("syncs/hello.yml: ")


def test_payloads_that_are_made_in_parts_are_those_made_at_once(
    braze: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [f"k{number}" for number in range(7)]
    people = ["p0", "p1", "p2", "p0", "p4", None, "p1"]
    ages = ["7", None, "old", "8", None, "9", "x"]
    rows = pl.DataFrame({ROW_KEY: keys[::-1], "person_id": people[::-1], "age": ages[::-1]})
    sync = declared(age={"column": "age", "type": "integer"})
    whole = render_rows(rows, sync, braze)
    monkeypatch.setattr(render, "AT_ONCE", 2)
    parts = render_rows(rows, sync, braze)
    assert whole.wanted.equals(parts.wanted)
    assert whole.left_out.equals(parts.left_out)
    assert whole.wanted["row_key"].to_list() == ["k0", "k1", "k4"]
