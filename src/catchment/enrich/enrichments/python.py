"""Run a function of yours over each batch."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import DROP, Columns, Enrichment, Step
from catchment.errors import SettingsError
from catchment.event import ATOMIC, STRING

DROPPED = "dropped_event"
"""The type of failed event that an event becomes which the function drops."""

_TYPES = {known.name: known.type for known in ATOMIC}


class Python(Enrichment):
    """Run a function of yours over each batch: it takes a table, and gives columns to set or entities to add.

    `_drop`, true or false for each event, takes events out; they are counted and kept among the failed events.
    """

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description='"module:function", the module in the project\'s folder.'
    )

    def open(self, project_folder: Path) -> Step:
        function = _load(project_folder, *self.function.split(":"))
        return lambda events: _read(function(events))


def _load(folder: Path, module_name: str, function_name: str) -> Callable[[pa.Table], Any]:
    path = folder / (module_name.replace(".", "/") + ".py")
    name = f"catchment_project_functions.{module_name}"
    spec = importlib.util.spec_from_file_location(name, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise SettingsError(f"The python enrichment finds no file {path}.", hint=f"Write it, with def {function_name}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        function: Callable[[pa.Table], Any] = getattr(module, function_name)
    except Exception as error:
        raise SettingsError(
            f"The python enrichment cannot use {path}: {error}.", hint=f"Mend it; it needs def {function_name}(events)."
        ) from error
    return function


def _read(result: Any) -> Columns | pa.Table:
    if isinstance(result, pa.Table):
        return result
    columns = {
        name: values if isinstance(values, pa.Array) else pa.array(values, _TYPES.get(name))
        for name, values in dict(result).items()
    }
    if DROP in columns:
        drops = columns[DROP].cast(pa.bool_()).to_pylist()
        columns[DROP] = pa.array([DROPPED if drop else None for drop in drops], STRING)
    return columns
