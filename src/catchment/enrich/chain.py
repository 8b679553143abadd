"""The enrichments of a project, run one after the other over a table of events.

An event loses nothing but what an enrichment that raised would have written: it goes on, flagged. In strict mode it
fails instead, and so does one with a text that is longer than its column, as Snowplow does it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enrichment import DROP, FLAG, HEADERS, PARAMETERS, SOURCE, Enrichment, Step, column
from catchment.enrich.flag import FAILURE_COLUMN, Flag, build_failures
from catchment.enrich.parameters import RULES
from catchment.enrich.result import ROW, Results, set_values
from catchment.errors import SettingsError, TransientError
from catchment.event import ATOMIC
from catchment.plugin import list_plugins
from catchment.schema.validate import Fault

SCHEMA_VIOLATIONS = "schema_violations"
ENRICHMENT_FAILURES = "enrichment_failures"

_MESSAGE_LENGTH = 500
_TYPES = {known.name: known.type for known in ATOMIC}
_GIVEN = frozenset(
    {rule.column for rule in RULES}
    | {"event_vendor", "event_name", "event_format", "event_version", "collector_tstamp", "derived_tstamp"}
    | {"etl_tstamp", "v_etl", "v_collector", HEADERS, PARAMETERS, SOURCE}
)
"""Columns that stand before the first enrichment runs."""

Faults = dict[int, tuple[str, list[Fault]]]
"""The events that failed, by ROW: which type of failed event each is, and why."""
Flags = dict[int, list[Flag]]


class Link(NamedTuple):
    """One enrichment, opened; `protects` says that no event may go on without it."""

    name: str
    step: Step
    protects: bool = False
    reads: frozenset[str] = frozenset()


class Chain:
    """Enrichments in their order."""

    def __init__(self, links: Sequence[Link], results: Results, *, strict: bool) -> None:
        self._links = links
        self._results = results
        self._strict = strict

    @property
    def reads(self) -> frozenset[str]:
        """Name all columns that some link says it reads."""
        return frozenset().union(*(link.reads for link in self._links))

    def run(self, events: pa.Table, faults: Faults, now: datetime) -> pa.Table:
        """Enrich a table of events; those that fail or are dropped leave it and stand in `faults`."""
        flags: Flags = {}
        for link in self._links:
            events = _fail_flagged(events, faults, flags) if self._strict else events
            events = self._run(link, events, faults, flags)
            events = _take_flags(link, events, flags)
            events = _take_drops(link, events, faults)
        if self._strict:
            return _fail_flagged(events, faults, flags)
        _flag_long_texts(events, flags)
        if not flags:
            return events
        failures = build_failures(column(events, ROW).to_pylist(), flags, now)
        return events if failures.null_count == len(failures) else set_values(events, FAILURE_COLUMN, failures)

    def _run(self, link: Link, events: pa.Table, faults: Faults, flags: Flags) -> pa.Table:
        """Run one enrichment over all events; where it raises, over each half, so that only those which raise miss it.

        An enrichment may be anybody's code, so whatever it raises is told with the event.
        """
        if events.num_rows == 0:
            return events
        try:
            return self._results.accept(events, link.step(events))
        except TransientError:
            raise
        except Exception as error:
            if events.num_rows == 1:
                message = f"The enrichment {link.name} raised {type(error).__name__}: {error}"[:_MESSAGE_LENGTH]
                fault, row = Fault("enrichment", message, path=link.name), events[ROW][0].as_py()
                if link.protects:
                    faults[row] = (ENRICHMENT_FAILURES, [fault])
                    return events.slice(0, 0)
                flags.setdefault(row, []).append(_flag(link, fault))
                return events
        middle = events.num_rows // 2
        parts = [self._run(link, half, faults, flags) for half in (events.slice(0, middle), events.slice(middle))]
        return pa.concat_tables(parts, promote_options="permissive").combine_chunks()


def open_link(name: str, enrichment: Enrichment, folder: Path) -> Link:
    """Open one enrichment; raises SettingsError where it lacks what it needs."""
    return Link(name, enrichment.open(folder), enrichment.protects, frozenset(enrichment.reads()))


def check_order(enrichments: Iterable[tuple[str, Enrichment]], folder: Path) -> None:
    """Refuse an order in which an enrichment reads an atomic column that nobody has filled yet, or one blotted out."""
    filled, blotted = set(_GIVEN), dict[str, str]()
    for position, (name, enrichment) in enumerate(enrichments):
        late = next((read for read in enrichment.reads() if read in blotted and not enrichment.protects), None)
        if late is not None:
            raise SettingsError(
                f"enrich.enrichments.{position}: {name} reads {late}, which {blotted[late]} has blotted out by then.",
                hint=f"Put '- type: {name}' before '- type: {blotted[late]}'.",
            )
        if enrichment.protects:
            blotted |= dict.fromkeys(enrichment.writes(), name)
        missing = sorted(read for read in enrichment.reads() if read in _TYPES and read not in filled)
        if missing:
            writer = _writer_of(missing[0], folder)
            raise SettingsError(
                f"enrich.enrichments.{position}: {name} reads {', '.join(missing)}, which nothing before it fills.",
                hint=f"Put '- type: {writer}' before '- type: {name}'." if writer else f"Take {name} out.",
            )
        filled.update(enrichment.writes())


def _writer_of(name: str, folder: Path) -> str | None:
    for type_name, plugin in list_plugins("enrich/enrichments", folder).items():
        required = any(field.is_required() for field in plugin.model_fields.values())
        if isinstance(plugin, type) and issubclass(plugin, Enrichment) and not required and name in plugin().writes():
            return type_name
    return None


def _flag(link: Link, fault: Fault) -> Flag:
    return Flag(f"catchment.enrich.{link.name}", ENRICHMENT_FAILURES, fault)


def _take_flags(link: Link, events: pa.Table, flags: Flags) -> pa.Table:
    if FLAG not in events.column_names:
        return events
    rows, messages = column(events, ROW), column(events, FLAG)
    for position in pc.indices_nonzero(messages.is_valid()).to_pylist():
        fault = Fault("enrichment", messages[position].as_py()[:_MESSAGE_LENGTH], path=link.name)
        flags.setdefault(rows[position].as_py(), []).append(_flag(link, fault))
    return events.drop_columns([FLAG])


def _take_drops(link: Link, events: pa.Table, faults: Faults) -> pa.Table:
    if DROP not in events.column_names:
        return events
    rows, kinds = column(events, ROW), column(events, DROP)
    dropped: Faults = {}
    for position in pc.indices_nonzero(kinds.is_valid()).to_pylist():
        fault = Fault("dropped", f"The enrichment {link.name} took it out.", path=link.name)
        dropped[rows[position].as_py()] = (kinds[position].as_py(), [fault])
    faults.update(dropped)
    return _without(events.drop_columns([DROP]), dropped)


def _without(events: pa.Table, rows: Iterable[int]) -> pa.Table:
    gone = pa.array(sorted(rows), pa.int64())
    return events if len(gone) == 0 else events.filter(pc.invert(pc.is_in(events[ROW], value_set=gone)))


def _fail_flagged(events: pa.Table, faults: Faults, flags: Flags) -> pa.Table:
    """Fail what is flagged by now, before the next enrichment sees it: one that remembers may not remember it."""
    _flag_long_texts(events, flags)
    for row, met in flags.items():
        faults.setdefault(row, (met[0].kind, []))[1].extend(flag.fault for flag in met)
    events = _without(events, flags)
    flags.clear()
    return events


def _flag_long_texts(events: pa.Table, flags: Flags) -> None:
    for known in ATOMIC:
        values = None if known.max_length is None else column(events, known.name)
        if values is None or values.null_count == len(values):
            continue
        if (pc.max(pc.binary_length(values)).as_py() or 0) <= (known.max_length or 0):
            continue
        message = f"{known.name}: the text is longer than {known.max_length} characters."
        long = pc.fill_null(pc.greater(pc.utf8_length(values), known.max_length), False)
        for row in events[ROW].filter(long).to_pylist():
            fault = Fault("too_long", message, path=known.name)
            flags.setdefault(row, []).append(Flag("catchment.enrich", SCHEMA_VIOLATIONS, fault))
