"""An event that is kept although something went wrong with it carries the entity `failure`, which says what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import pyarrow as pa

from catchment import __version__
from catchment.event import STRING, TIMESTAMP
from catchment.schema.validate import Fault

FAILURE_COLUMN = "contexts_com_snowplowanalytics_snowplow_failure_1"
FAILURE = pa.struct(
    [
        *(("component_name", STRING), ("component_version", STRING), ("data", STRING), ("errors", pa.list_(STRING))),
        *(("failure_type", STRING), ("schema", STRING), ("timestamp", TIMESTAMP)),
    ]
)
"""The typed form of `iglu:com.snowplowanalytics.snowplow/failure/jsonschema/1-0-0`."""


class Flag(NamedTuple):
    """One thing that went wrong, where, and which type of failed event it is in strict mode."""

    component: str
    kind: str
    fault: Fault


def build_failures(rows: Sequence[int], flags: Mapping[int, Sequence[Flag]], now: datetime) -> pa.Array:
    """Give the column of `failure` entities for these rows: one entity for each component that met with something."""
    return pa.array([_entities(flags.get(row, ()), now) for row in rows], pa.list_(FAILURE))


def _entities(flags: Sequence[Flag], now: datetime) -> list[dict[str, Any]] | None:
    entities: dict[tuple[str, str], dict[str, Any]] = {}
    for component, kind, fault in flags:
        empty = {
            "component_name": component,
            "component_version": __version__,
            "errors": [],
            "failure_type": kind,
            "timestamp": now,
        }
        told = {name: value for name, value in fault._asdict().items() if value is not None}
        entities.setdefault((component, kind), empty)["errors"].append(orjson.dumps(told).decode())
    return list(entities.values()) or None
