"""What enrichments that ask somebody else have in common: each distinct question is asked once, and remembered."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pydantic import Field, field_validator

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column
from catchment.errors import TransientError
from catchment.event import BOOLEAN, DOUBLE, STRING, TIMESTAMP
from catchment.schema.arrow import ENTITY, column_name
from catchment.schema.key import SchemaKey

Answer = list[dict[str, Any]]
Ask = Callable[[Mapping[str, Any]], Answer]
"""Give the rows that answer one question; raises TransientError where nobody answered, ValueError for no answer."""

_TYPES = {"string": STRING, "integer": pa.int64(), "number": DOUBLE, "boolean": BOOLEAN, "timestamp": TIMESTAMP}


class Lookup(Enrichment):
    """Ask somebody else about an event and keep the answer as an entity."""

    inputs: dict[str, str] = Field(
        min_length=1,
        description="What is asked with: a name, and the column it is read from; 'column.field' reads an entity. "
        "An event that lacks one is not asked about.",
    )
    entity: str = Field(description="Iglu URI of the entity that the answer becomes.")
    output: dict[str, Literal["string", "integer", "number", "boolean", "timestamp"]] = Field(
        min_length=1, description="Fields of the answer that are kept, and their types."
    )
    on_error: Literal["flag", "wait"] = Field(
        default="flag", description="Where nobody answers: the event goes on flagged, or the batch waits."
    )
    cache_size: int = Field(default=10_000, ge=0, description="Answers remembered.")
    cache_ttl_s: float = Field(default=600.0, description="How long an answer is remembered.")

    @field_validator("entity")
    @classmethod
    def _is_key(cls, uri: str) -> str:
        if SchemaKey.parse(uri) is None:
            raise ValueError("an Iglu URI was expected, such as iglu:com.acme/customer/jsonschema/1-0-0")
        return uri

    def reads(self) -> tuple[str, ...]:
        return tuple(source.partition(".")[0] for source in self.inputs.values())

    def writes(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def column(self) -> str:
        """Name the column of the entity."""
        key = SchemaKey.parse(self.entity)
        return "" if key is None else column_name(ENTITY, key)

    def connect(self, project_folder: Path) -> Ask:
        """Open the way to whoever is asked."""
        raise NotImplementedError

    def open(self, project_folder: Path) -> Step:
        ask, memory = self.connect(project_folder), _Memory(self.cache_size, self.cache_ttl_s)
        return lambda events: _enrich(self, ask, memory, events)


class _Memory:
    def __init__(self, size: int, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._size, self._ttl_s, self._clock = size, ttl_s, clock
        self._answers: OrderedDict[Hashable, tuple[float, Answer]] = OrderedDict()

    def find(self, key: Hashable) -> Answer | None:
        expires, answer = self._answers.get(key, (0.0, []))
        return answer if key in self._answers and self._clock() < expires else None

    def keep(self, key: Hashable, answer: Answer) -> None:
        self._answers[key] = (self._clock() + self._ttl_s, answer)
        self._answers.move_to_end(key)
        while len(self._answers) > self._size:
            self._answers.popitem(last=False)


def _enrich(lookup: Lookup, ask: Ask, memory: _Memory, events: pa.Table) -> Columns:
    names = tuple(lookup.inputs)
    keys = list(zip(*(_values(events, source) for source in lookup.inputs.values()), strict=True))
    answers: dict[tuple[Any, ...], Answer] = {}
    wrong: dict[tuple[Any, ...], str] = {}
    silent: TransientError | None = None
    for key in dict.fromkeys(key for key in keys if None not in key):
        known = memory.find(key)
        try:
            if known is None and silent is not None:
                raise silent
            answers[key] = ask(dict(zip(names, key, strict=True))) if known is None else known
            memory.keep(key, answers[key])
        except TransientError as error:
            if lookup.on_error == "wait":
                raise
            silent, wrong[key] = error, str(error)
        except ValueError as error:
            wrong[key] = str(error)
    type_ = pa.list_(pa.struct([(name, _TYPES[kind]) for name, kind in lookup.output.items()]))
    entities = [[_keep(lookup, row) for row in answers.get(key, ())] or None for key in keys]
    columns = {lookup.column: pa.array(entities, type_)}
    return columns | {FLAG: pa.array([wrong.get(key) for key in keys], STRING)} if wrong else columns


def _values(events: pa.Table, source: str) -> list[Any]:
    name, _, field = source.partition(".")
    if name not in events.column_names:
        return [None] * events.num_rows
    values: list[Any] = column(events, name).to_pylist()
    if not field:
        return values
    firsts = ((value[0] if value else None) if isinstance(value, list) else value for value in values)
    return [None if first is None else first.get(field) for first in firsts]


def _keep(lookup: Lookup, row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _convert(row.get(name), kind) for name, kind in lookup.output.items()}


def _convert(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value)
    if kind == "boolean" and value not in (True, False):
        raise ValueError("true or false was expected of a boolean")
    return {"string": str, "integer": int, "number": float, "boolean": bool}.get(kind, lambda same: same)(value)
