"""The entities that enrichments write are those of their schemas."""

import importlib
from pathlib import Path

import pyarrow as pa
import pytest

from catchment.plugin import list_plugins
from catchment.schema import SchemaSettings
from catchment.schema.arrow import ENTITY, column_name
from catchment.schema.resolver import open_resolver


@pytest.mark.parametrize("name", list_plugins("enrich/enrichments"))
def test_an_entity_has_the_columns_of_its_schema(name: str, tmp_path: Path) -> None:
    module = importlib.import_module(f"catchment.enrich.enrichments.{name}")
    if not hasattr(module, "ENTITY_COLUMN"):
        return
    resolver = open_resolver(SchemaSettings(), tmp_path)
    keys = resolver.keys()
    (column,) = [resolver.column(key) for key in keys if column_name(ENTITY, key) == module.ENTITY_COLUMN]
    assert column is not None
    ours: pa.StructType = module._ENTITY
    assert ours == column.type
