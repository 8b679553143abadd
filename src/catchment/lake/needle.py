"""Whether a row tells of somebody: the values that are hers, looked for in every text, however deep."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

SUBSTRING_LENGTH = 8
"""A value as long is looked for inside longer texts too; a shorter one, such as 42, must be all of a value."""


class Needles(NamedTuple):
    """The identifiers of one person."""

    whole: frozenset[str]

    @classmethod
    def of(cls, values: Iterable[str | None]) -> "Needles":
        """Take what is a value at all."""
        return cls(frozenset(value for value in values if value))

    @property
    def long(self) -> list[str]:
        """Give those that may be looked for inside of texts."""
        return sorted(value for value in self.whole if len(value) >= SUBSTRING_LENGTH)

    def in_text(self, text: str) -> bool:
        """Say whether a text tells of the person: one of her values, a quoted one, or a long one anywhere."""
        if text in self.whole or any(value in text for value in self.long):
            return True
        return any(f'"{value}"' in text for value in self.whole)

    def in_value(self, value: Any) -> bool:
        """Say whether a value of any type tells of the person."""
        match value:
            case str():
                return self.in_text(value)
            case bytes():
                return self.in_text(value.decode("utf-8", "replace"))
            case dict():
                return any(self.in_value(item) for item in value.values())
            case list():
                return any(self.in_value(item) for item in value)
            case _:
                return False

    def rows(self, table: pa.Table) -> pa.Array:
        """Give, for each row, whether it tells of the person; each distinct value is looked at once."""
        found = [self._column(table[name].combine_chunks()) for name in table.column_names]
        mask = pa.array([False] * table.num_rows, pa.bool_())
        for column in found:
            mask = mask if column is None else pc.or_(mask, column)
        return mask

    def _column(self, values: pa.Array) -> pa.Array | None:
        if isinstance(values, pa.ChunkedArray):
            values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
        type_ = values.type
        if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_binary(type_):
            coded = values.dictionary_encode()
            tells = pa.array([self.in_value(value) for value in coded.dictionary.to_pylist()], pa.bool_())
            return pc.fill_null(tells.take(coded.indices), False)
        if pa.types.is_nested(type_):
            return pa.array([self.in_value(value) for value in values.to_pylist()], pa.bool_())
        return None
