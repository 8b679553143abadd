"""Lines of Snowplow's enriched TSV become events: 131 columns, or 132 where a loader added its own moment.

They were enriched before, so no enrichment runs; their entities and self-describing events are judged by their schemas
and become typed columns as those of a tracker do. A line that is none is a failed event, with its bytes.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.failure import Failures
from catchment.enrich.pipeline import Enriched
from catchment.enrich.self_describing import SelfDescribing
from catchment.event import ATOMIC, COLUMNS, JSON_COLUMNS, MONEY, TIMESTAMP
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault
from catchment.tables import OFFSET

PATH = "/enriched.tsv"
"""The path of a payload that is such a line."""
PARSING_ERROR = "loader_parsing_error"
IGLU_ERROR = "loader_iglu_error"

_NAMES = [column.name for column in COLUMNS]
_WIDTHS = (len(_NAMES), len(_NAMES) + 1)
_HELD_LINES = 2_000
_BOOLEANS = {"0": False, "1": True, "false": False, "true": True}


class _Line(NamedTuple):
    payload: dict[str, Any]
    fields: list[str]


class EnrichedReader:
    """Reads lines as a pipeline reads payloads: what comes in is what comes out plus what failed."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def enrich(self, payloads: pa.Table, now: datetime) -> Enriched:
        """Read payloads whose body is a line; raises RegistryUnavailable where a registry does not answer."""
        starts = range(0, max(payloads.num_rows, 1), _HELD_LINES)
        done = [self._read(payloads.slice(start, _HELD_LINES), now) for start in starts]
        events = pa.concat_tables([part.events for part in done], promote_options="default")
        failed = pa.concat_tables([part.failed for part in done])
        names = [name for name in events.column_names if name != OFFSET]
        return Enriched(events.select([*names, OFFSET]), failed, events.num_rows + failed.num_rows)

    def _read(self, payloads: pa.Table, now: datetime) -> Enriched:
        failures = Failures(now)
        lines = list(_part(payloads.to_pylist(), failures))
        faults: dict[int, list[Fault]] = {}
        columns = {}
        for place, known in enumerate(COLUMNS):
            if known.name not in JSON_COLUMNS:
                texts = [line.fields[place] or None for line in lines]
                columns[known.name] = _convert(known.name, texts, known.type, faults)
        for name in (known.name for known in ATOMIC if known.required):
            for position in pc.indices_nonzero(columns[name].is_null()).to_pylist():
                _blame(faults, position, name, "It is empty, and an event must have it.")
        described = SelfDescribing(self._resolver, len(lines))
        unstored = {position: described.read(position, _json_of(line)) for position, line in enumerate(lines)}
        for position, line in enumerate(lines):
            if position in faults:
                failures.add_payload(line.payload, PARSING_ERROR, faults[position])
            elif unstored[position]:
                failures.add_payload(line.payload, IGLU_ERROR, unstored[position])
        offsets = pa.array([line.payload[OFFSET] for line in lines], pa.int64())
        events = pa.table(columns | described.columns() | {OFFSET: offsets})
        good = [position not in faults and not unstored[position] for position in range(len(lines))]
        events, failed = events.filter(pa.array(good, pa.bool_())), failures.table()
        return Enriched(events, failed, events.num_rows + failed.num_rows)


def _part(payloads: list[dict[str, Any]], failures: Failures) -> Iterator[_Line]:
    for payload in payloads:
        try:
            fields = payload["body"].decode().split("\t")
        except UnicodeDecodeError:
            failures.add_payload(payload, PARSING_ERROR, [Fault("not_utf8", "The line is not UTF-8.")])
            continue
        if len(fields) in _WIDTHS:
            yield _Line(payload, fields)
            continue
        code = "not_tsv" if len(fields) == 1 else "field_number"
        message = f"The line has {len(fields)} fields; an enriched event has {_WIDTHS[0]}, or {_WIDTHS[1]} when loaded."
        failures.add_payload(payload, PARSING_ERROR, [Fault(code, message)])


def _json_of(line: _Line) -> dict[str, str]:
    """Give the JSON of a line as the parameters that carry it; the two lists of entities become one."""
    told = {name: line.fields[_NAMES.index(name)] for name in JSON_COLUMNS}
    entities = told["contexts"] or told["derived_contexts"]
    if told["contexts"] and told["derived_contexts"]:
        entities = _join(told["contexts"], told["derived_contexts"])
    return {"co": entities, "ue_pr": told["unstruct_event"]}


def _join(sent: str, derived: str) -> str:
    try:
        first, second = orjson.loads(sent), orjson.loads(derived)
        return orjson.dumps({**first, "data": [*first["data"], *second["data"]]}).decode()
    except (orjson.JSONDecodeError, TypeError, KeyError):
        return f"{sent} {derived}"  # no JSON then either, and judged so


def _convert(name: str, texts: list[str | None], type_: pa.DataType, faults: dict[int, list[Fault]]) -> pa.Array:
    values = pa.array(texts, pa.string())
    if values.null_count == len(values):
        return pa.nulls(len(values), type_)
    if pa.types.is_string(type_):
        return values
    try:
        naive = pa.timestamp("us") if type_ == TIMESTAMP else type_
        read = pc.cast(values, naive)
        return pc.assume_timezone(read, "UTC") if type_ == TIMESTAMP else read
    except pa.ArrowInvalid:
        return _convert_one_by_one(name, texts, type_, faults)


def _convert_one_by_one(
    name: str, texts: list[str | None], type_: pa.DataType, faults: dict[int, list[Fault]]
) -> pa.Array:
    read, found = _reader(type_), []
    for position, text in enumerate(texts):
        try:
            found.append(None if text is None else pa.scalar(read(text), type_))
        except (ValueError, InvalidOperation, OverflowError):
            _blame(faults, position, name, f"It is no {type_}.")
            found.append(None)
    return pa.array(found, type_)


def _reader(type_: pa.DataType) -> Callable[[str], Any]:
    if type_ == TIMESTAMP:
        return lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC)
    if type_ == MONEY:
        return lambda text: Decimal(text).quantize(Decimal("0.01"))
    if pa.types.is_boolean(type_):
        return _to_boolean
    return float if pa.types.is_floating(type_) else int


def _to_boolean(text: str) -> bool:
    if text not in _BOOLEANS:
        raise ValueError("neither 0 nor 1")
    return _BOOLEANS[text]


def _blame(faults: dict[int, list[Fault]], position: int, name: str, message: str) -> None:
    faults.setdefault(position, []).append(Fault("row_decoding", f"{name}: {message}", path=name))
