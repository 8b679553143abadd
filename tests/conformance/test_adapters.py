"""Every adapter that is found does what its own examples say, and keeps what it cannot read."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catchment.enrich import EnrichSettings
from catchment.enrich.adapter import Adapter, Example
from catchment.enrich.pipeline import Pipeline, open_pipeline
from catchment.plugin import list_plugins
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from tests.enrich.conftest import NOW, make_payload, to_table

ADAPTERS: dict[str, Any] = list_plugins("enrich/adapters")
EXAMPLES = [(name, example) for name, adapter in ADAPTERS.items() for example in adapter.examples]
ALL = open_pipeline(EnrichSettings(enrichments=[]), open_resolver(SchemaSettings(), Path()), Path())


def enrich(example: Example, pipeline: Pipeline = ALL) -> Any:
    blank = {"content_type": None, "body": None, "querystring": None}
    return pipeline.enrich(to_table(make_payload(**blank | dict(example.request))), NOW)


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_adapter_shows_what_it_reads_and_what_it_does_not(name: str) -> None:
    examples = ADAPTERS[name].examples
    assert any(example.events for example in examples)
    assert any(example.failed for example in examples)


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_an_example_comes_to_what_it_says(name: str, example: Example) -> None:
    enriched = enrich(example)
    events = enriched.events.to_pylist()
    shown = [
        {column: _pick(event.get(column), value) for column, value in wanted.items()}
        for event, wanted in zip(events, example.events, strict=False)
    ]
    assert (shown, enriched.failed["message"].to_pylist() if not example.failed else []) == (list(example.events), [])
    assert len(events) == len(example.events)
    assert enriched.failed["type"].to_pylist() == list(example.failed)


def _pick(value: Any, wanted: Any) -> Any:
    """Give of a struct only the fields that the example names."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {name: _pick(value.get(name), part) for name, part in wanted.items()}
    if isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        return [_pick(part, want) for part, want in zip(value, wanted, strict=True)]
    return value


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_one_adapter_and_no_other_takes_the_path(name: str, example: Example) -> None:
    adapters: list[Adapter] = [adapter() for adapter in ADAPTERS.values()]
    assert sum(adapter.accepts(example.request["path"]) for adapter in adapters) == 1


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_a_repeat_of_a_request_is_the_same_events(name: str, example: Example) -> None:
    assert enrich(example).events.equals(enrich(example).events)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def _mutated(request: Any, junk: Any, spot: int) -> Any:
    """Put something else in one place of a JSON document."""
    if isinstance(request, dict) and request:
        key = list(request)[spot % len(request)]
        return {**request, key: junk if spot % 3 == 0 else _mutated(request[key], junk, spot // 2)}
    if isinstance(request, list) and request:
        return [_mutated(request[0], junk, spot // 2), *request[1:]]
    return junk


@settings(max_examples=25)
@given(junk=anything, spot=st.integers(0, 400), raw=st.binary(max_size=30), query=st.text(max_size=20))
@pytest.mark.parametrize("name", ADAPTERS)
def test_whatever_comes_is_an_event_or_a_failed_one(name: str, junk: Any, spot: int, raw: bytes, query: str) -> None:
    for example in ADAPTERS[name].examples:
        request = dict(example.request)
        bodies = [raw]
        if example.events and request.get("content_type") in ("application/json", "text/plain"):
            bodies.append(json.dumps(_mutated(json.loads(request["body"]), junk, spot)).encode())
        for body in bodies:
            hostile = {**request, "body": body if request.get("body") else None, "querystring": query or None}
            enriched = enrich(Example(hostile))
            assert enriched.received >= 1
            assert enriched.events.num_rows + enriched.failed.num_rows == enriched.received
