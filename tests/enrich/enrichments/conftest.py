"""One event through one enrichment, in a real pipeline."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import open_pipeline
from catchment.schema import SchemaSettings
from catchment.schema.resolver import open_resolver
from tests.enrich.conftest import NOW, make_batch, make_event, to_table

EnrichOne = Callable[..., dict[str, Any]]


@pytest.fixture
def enrich_one(tmp_path: Path) -> EnrichOne:
    """Give what becomes of one event; `request` holds fields of its payload."""

    def enrich(*enrichments: dict[str, Any], request: dict[str, Any] | None = None, **parameters: str) -> Any:
        settings = EnrichSettings(enrichments=[{"type": "page_url"}, *enrichments])
        pipeline = open_pipeline(settings, open_resolver(SchemaSettings(), tmp_path), tmp_path)
        enriched = pipeline.enrich(to_table(make_batch(make_event(**parameters), **(request or {}))), NOW)
        (row,) = [*enriched.events.to_pylist(), *enriched.failed.to_pylist()]
        return row

    return enrich
