"""Run a function of yours over each batch."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import DROP, Columns, Enrichment, Step, column
from catchment.enrich.function import load_function
from catchment.event import ATOMIC, STRING

DROPPED = "dropped_event"
"""The type of failed event that an event becomes which the function drops."""

_TYPES = {known.name: known.type for known in ATOMIC}


class Python(Enrichment):
    """Run a function of yours over each batch: it takes a table, and gives columns to set or entities to add.

    `_drop`, true or false for each event, takes events out; they are counted and kept among the failed events. An
    entity has the type of its schema in `schemas/`; one without a schema has the type in which it was given first.
    """

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description='"module:function", the module in the project\'s folder.'
    )

    def open(self, project_folder: Path) -> Step:
        module, name = self.function.split(":")
        function = load_function(project_folder, module, name, "python enrichment", "events")
        return lambda events: _read(function(events))


def _read(result: Any) -> Columns | pa.Table:
    if isinstance(result, pa.Table):
        if DROP not in result.column_names:
            return result
        return result.set_column(result.column_names.index(DROP), DROP, _kinds(column(result, DROP)))
    columns = {
        name: values if isinstance(values, pa.Array) else pa.array(values, _TYPES.get(name))
        for name, values in dict(result).items()
    }
    if DROP in columns:
        columns[DROP] = _kinds(columns[DROP])
    return columns


def _kinds(drops: pa.Array) -> pa.Array:
    return pa.array([DROPPED if drop else None for drop in drops.cast(pa.bool_()).to_pylist()], STRING)
