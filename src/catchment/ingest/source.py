"""What every source offers: parts of a table that is not ours yet, each saying where it was read."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pydantic import Field

from catchment.errors import CatchmentError
from catchment.plugin import Plugin


class SourceError(CatchmentError):
    """A source cannot be read, or what it holds does not fit our table; whoever keeps it must act."""


class Part(NamedTuple):
    """Some rows of a source; `place` is what a person can open, and its first row is number 1."""

    place: str
    rows: pa.Table


class Source(Plugin):
    """Where other people's rows come from: the base of `ingest/sources` plugins."""

    columns: dict[str, str] = Field(default={}, description="Our column name to theirs, where they differ.")

    def read(self, project_folder: Path) -> Iterator[Part]:
        """Give the parts in order, unconverted: where a key comes twice, the later row is the truth."""
        raise NotImplementedError


def to_part(place: str, rows: Sequence[Mapping[str, Any]]) -> Part:
    """Turn rows of a source that has no columns into a part, a column for every name that any row has."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise SourceError(
                f"{place}, column '{name}' mixes kinds of values: {error}", hint="Give the column one type."
            ) from error
    return Part(place, pa.table(columns))
