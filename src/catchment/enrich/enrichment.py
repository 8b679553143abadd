"""What every enrichment offers: columns computed from other columns, once per distinct value."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from catchment.plugin import Plugin

Columns = dict[str, pa.Array]
Step = Callable[[pa.Table], Columns | pa.Table]
"""Takes a table of events; gives the columns that change, or the whole table anew with the same rows in the same order.

Of the columns that change, a column of entities is added to the entities that the event has; any other is replaced.
"""

HEADERS = "_headers"
"""The request's headers, `Name: value` each; there for a step that says it reads them."""
PARAMETERS = "_parameters"
"""The tracker's parameters as a JSON object; there for a step that says it reads them."""
SOURCE = "_source"
"""The place in the log an event came from, the same at each repeat; there for a step that says it reads it."""
FLAG = "_flag"
"""A step may give this column: what went wrong with an event that goes on nevertheless; null where nothing did."""
DROP = "_drop"
"""A step may give this column: the type of failed event that an event becomes; null where it goes on."""


class Enrichment(Plugin):
    """Something that can be known about an event from what it says, or from elsewhere."""

    protects: ClassVar[bool] = False
    """Whether an event must not go on without it: where it raises, the event fails instead of being flagged."""

    def reads(self) -> Iterable[str]:
        """Name the columns it looks at; the order of enrichments is refused where nobody fills one before."""
        return ()

    def writes(self) -> Iterable[str]:
        """Name the columns it fills."""
        return ()

    def open(self, project_folder: Path) -> Step:
        """Open what it needs, once; raises SettingsError where that is not there.

        An event that makes the step raise goes on without what the step writes, and carries a `failure` entity;
        TransientError makes the batch wait.
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
