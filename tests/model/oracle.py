"""The reference data of Snowplow's own web package (0.15.2): events, and the tables they became."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from catchment.event import atomic_schema

FOLDER = "shared/data/snowplow_web_0.15.2"
CONTEXTS = {
    "contexts_com_snowplowanalytics_snowplow_web_page_1_0_0": "contexts_com_snowplowanalytics_snowplow_web_page_1",
    "contexts_com_iab_snowplow_spiders_and_robots_1_0_0": "contexts_com_iab_snowplow_spiders_and_robots_1",
    "contexts_com_snowplowanalytics_snowplow_ua_parser_context_1_0_0": (
        "contexts_com_snowplowanalytics_snowplow_ua_parser_context_1"
    ),
    "contexts_nl_basjes_yauaa_context_1_0_0": "contexts_nl_basjes_yauaa_context_1",
}


def oracle_folder() -> Path:
    """Give the folder of the reference data, looked for beside every folder above; skips where it is absent."""
    for above in Path(__file__).resolve().parents:
        if (above / FOLDER).is_dir():
            return above / FOLDER
    pytest.skip(f"the reference data {FOLDER} is not beside any folder above {Path(__file__).parent}")


def oracle_events(folder: Path) -> pa.Table:
    """Read the events as the lake would hold them."""
    with (folder / "source/snowplow_web_events.csv").open(newline="") as source:
        rows = list(csv.DictReader(source))
    schema = atomic_schema()
    columns = [_column([row[name] or None for row in rows], schema.field(name).type) for name in schema.names]
    table = pa.table(columns, schema=schema)
    for source_name, name in CONTEXTS.items():
        told = [_entities(row[source_name]) for row in rows]
        fields = sorted({field for entities in told for entity in entities or [] for field in entity})
        kinds = [(field, pa.bool_() if field == "spider_or_robot" else pa.string()) for field in fields]
        table = table.append_column(name, pa.array(told, pa.list_(pa.struct(kinds))))
    return table


def oracle_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    """Read one expected table, every value as text, '' as None."""
    with (folder / "expected" / f"{name}.csv").open(newline="") as source:
        return [{key: value or None for key, value in row.items()} for row in csv.DictReader(source)]


def _column(values: list[str | None], kind: pa.DataType) -> pa.Array:
    texts = pa.array(values, pa.string())
    if pa.types.is_timestamp(kind):
        return texts.cast(pa.timestamp("us")).cast(kind)
    if pa.types.is_boolean(kind):
        return pa.array([None if value is None else value.lower() == "true" for value in values], kind)
    if pa.types.is_string(kind):
        return texts
    return texts.cast(pa.float64()).cast(kind, safe=False)


def _entities(text: str) -> list[dict[str, Any]] | None:
    if not text:
        return None
    told = json.loads(text)
    entities = told[0] if told and isinstance(told[0], list) else told
    return [{_snake(key): value for key, value in entity.items()} for entity in entities]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
