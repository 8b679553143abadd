"""Whether a row tells of somebody: the values that are hers, looked for in every text, however deep or packed."""

import base64
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.compute as pc

SUBSTRING_LENGTH = 8
"""A value as long is looked for inside longer texts too; a shorter one, such as 42, must be all of a value."""

PACKED = re.compile(r"[A-Za-z0-9+/_-]{16,}")
"""What may be base64: trackers send entities and self-describing events so (`cx`, `ue_px`), plain or URL-safe."""

ESCAPED = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
"""How JSON writes a quote or a sign inside a text that is quoted itself, once or again."""

UNPACKINGS = 3
"""So deep packings are opened: base64 in a query string that stands, quoted, in the original of a failed event."""


PEOPLE = ("person_id", "row_key")
"""Columns of names that people are known by. A name may also be a cookie that belongs to somebody else by now."""


class Needles(NamedTuple):
    """The identifiers of one person, and the names that are hers in columns of people."""

    whole: frozenset[str]
    people: frozenset[str] = frozenset()

    @classmethod
    def of(cls, values: Iterable[str | None]) -> "Needles":
        """Take what is a value at all."""
        return cls(frozenset(value for value in values if value))

    @property
    def long(self) -> list[str]:
        """Give those that may be looked for inside of texts."""
        return sorted(value for value in self.whole if len(value) >= SUBSTRING_LENGTH)

    def in_text(self, text: str) -> bool:
        """Say whether a text tells of the person: one of her values, a quoted one, or a long one anywhere.

        What is packed in it by percent signs, by base64 or as JSON in a JSON text is read too.
        """
        return any(self._stands_in(reading) for reading in _readings(text, UNPACKINGS))

    def _stands_in(self, text: str) -> bool:
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
        for name in PEOPLE:
            if self.people and name in table.column_names:
                named = pc.is_in(table[name].combine_chunks(), pa.array(sorted(self.people), pa.string()))
                mask = pc.or_(mask, named)
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


def _readings(text: str, depth: int) -> Iterator[str]:
    """Give a text and what is packed in it; words that are no base64 give noise, which tells of nobody."""
    yield text
    if not depth:
        return
    if "%" in text:
        yield from _readings(unquote_plus(text), depth - 1)
    if "\\" in text:
        yield from _readings(ESCAPED.sub(_unescaped, text), depth - 1)
    for run in PACKED.findall(text):
        yield from _readings(_unpacked(run), depth - 1)


def _unpacked(run: str) -> str:
    whole = run[: len(run) - 1] if len(run) % 4 == 1 else run
    standard = whole.replace("-", "+").replace("_", "/")
    return base64.b64decode(standard + "=" * (-len(standard) % 4)).decode("utf-8", "replace")


def _unescaped(escape: re.Match[str]) -> str:
    return chr(int(escape[1], 16)) if escape[1] else escape[2]
