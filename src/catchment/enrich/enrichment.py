"""What every enrichment offers: columns computed from other columns, once per distinct value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catchment.plugin import Plugin

Columns = dict[str, pa.Array]
Step = Callable[[pa.Table], Columns]
"""Takes a table of events; gives the columns that change. A column of entities is added to what the tracker sent."""


class Enrichment(Plugin):
    """Something that can be known about an event from what it says, or from elsewhere."""

    def open(self, project_folder: Path) -> Step:
        """Open what it needs, once; raises SettingsError where that is not there.

        A step that raises fails the events which make it raise, and no other; TransientError makes the batch wait.
        """
        raise NotImplementedError


def column(events: pa.Table, name: str) -> pa.Array:
    """Give one column as one array."""
    return events[name].combine_chunks() if events[name].num_chunks != 1 else events[name].chunk(0)


def map_distinct(values: pa.Array, function: Callable[[str], Any], type_: pa.DataType) -> pa.Array:
    """Apply a function to each distinct value and spread the results; null stays null."""
    encoded = values.dictionary_encode()
    results = pa.array([function(value) for value in encoded.dictionary.to_pylist()], type_)
    return results.take(encoded.indices)


def fields(structs: pa.Array) -> Columns:
    """Part an array of structs into its fields, null where the struct is null."""
    return {field.name: pc.struct_field(structs, field.name) for field in structs.type}
