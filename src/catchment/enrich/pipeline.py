"""Payloads go in, events and failed events come out, and their number adds up.

Order: part payloads into events, convert parameters, judge JSON by its schema, run the enrichments, check lengths. An
event that fails at any step leaves for `failed_events` with its original; the others go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc

from catchment import __version__
from catchment.enrich import EnrichSettings
from catchment.enrich.adapter import Adapter, Unreadable
from catchment.enrich.enrichment import Columns, Enrichment, Step, column
from catchment.enrich.failure import Failures, stable_id
from catchment.enrich.parameters import EVENTS, convert_parameters
from catchment.enrich.self_describing import SelfDescribing
from catchment.errors import TransientError
from catchment.event import ATOMIC, STRING, TIMESTAMP
from catchment.plugin import build_plugin, list_plugins
from catchment.schema.arrow import ENTITY
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault
from catchment.tables import OFFSET

SCHEMA_VIOLATIONS = "schema_violations"
ENRICHMENT_FAILURES = "enrichment_failures"
ADAPTER_FAILURES = "adapter_failures"
SIZE_VIOLATION = "size_violation"

_OVERSIZE = "catchment-oversize: "
_ROW = "_row"


@dataclass(frozen=True)
class Enriched:
    """What became of a batch of payloads: `received` = events + failed, always."""

    events: pa.Table
    failed: pa.Table
    received: int


class _Raw(NamedTuple):
    payload: int
    place: int
    parameters: dict[str, Any]


class Pipeline:
    """Adapters, schemas and enrichments of one project, opened."""

    def __init__(self, adapters: Sequence[Adapter], steps: Sequence[tuple[str, Step]], resolver: Resolver) -> None:
        self._adapters = adapters
        self._steps = steps
        self._resolver = resolver

    def enrich(self, payloads: pa.Table, now: datetime) -> Enriched:
        """Enrich a batch; the same batch at the same `now` gives the same rows, ids included.

        Raises TransientError where something outside did not answer: the batch waits, for good events must not fail.
        """
        rows = payloads.to_pylist()
        failures = Failures(now)
        raws = self._part(rows, failures)
        faults: dict[int, tuple[str, list[Fault]]] = {}
        events = self._convert(raws, rows, payloads, faults, now)
        for name, step in self._steps:
            events = _run(name, step, events, faults)
        events = _check_lengths(events, faults)
        for position, (kind, reasons) in sorted(faults.items()):
            raw = raws[position]
            failures.add_event(rows[raw.payload], raw.place, kind, reasons, raw.parameters)
        failed = failures.table()
        return Enriched(events.drop_columns([_ROW]), failed, events.num_rows + failed.num_rows)

    def _part(self, rows: list[dict[str, Any]], failures: Failures) -> list[_Raw]:
        raws = []
        for number, row in enumerate(rows):
            try:
                parts = self._adapter(row).part(row, self._resolver)
            except Unreadable as error:
                failures.add_payload(row, error.kind, error.faults)
                continue
            for index, part in enumerate(parts):
                if part.unreadable is not None:
                    kind, faults = part.unreadable.kind, part.unreadable.faults
                    failures.add_event(row, index, kind, faults, part.parameters)
                else:
                    raws.append(_Raw(number, index, part.parameters))
        return raws

    def _adapter(self, payload: dict[str, Any]) -> Adapter:
        cut = next((header for header in payload["headers"] or () if header.startswith(_OVERSIZE)), None)
        if cut is not None:
            message = f"The body is {cut.removeprefix(_OVERSIZE)} bytes long, more than the collector takes."
            raise Unreadable(SIZE_VIOLATION, [Fault("too_large", message)])
        for adapter in self._adapters:
            if adapter.accepts(payload["path"]):
                return adapter
        message = f"No adapter knows the path {payload['path'][:200]}."
        raise Unreadable(ADAPTER_FAILURES, [Fault("unknown_path", message)])

    def _convert(
        self,
        raws: list[_Raw],
        rows: list[dict[str, Any]],
        payloads: pa.Table,
        faults: dict[int, tuple[str, list[Fault]]],
        now: datetime,
    ) -> pa.Table:
        """Give the valid events as a table; the others stand in `faults` by their position in `raws`."""
        columns, wrong = convert_parameters([raw.parameters for raw in raws])
        described = SelfDescribing(self._resolver, len(raws))
        for position, raw in enumerate(raws):
            reasons = described.read(position, raw.parameters) + wrong.get(position, [])
            if reasons:
                faults[position] = (SCHEMA_VIOLATIONS, reasons)
        envelope = payloads.take(pa.array([raw.payload for raw in raws], pa.int64()))
        columns |= _from_envelope(columns, envelope)
        columns |= _names(raws, described)
        columns |= _identity(columns, raws, rows)
        columns |= _moments(columns, envelope, now)
        table = _table(columns | described.columns(), envelope, len(raws))
        if not faults:
            return table
        good = pa.array([position not in faults for position in range(len(raws))], pa.bool_())
        return table.filter(good)


def open_pipeline(settings: EnrichSettings, resolver: Resolver, folder: Path) -> Pipeline:
    """Open adapters and enrichments of a project; raises SettingsError where one lacks what it needs."""
    adapters = [cast(Adapter, plugin()) for plugin in list_plugins("enrich/adapters", folder).values()]
    steps = []
    for position, block in enumerate(settings.enrichments):
        place = f"enrich.enrichments.{position}"
        enrichment: Enrichment = build_plugin("enrich/enrichments", block, place=place, project_folder=folder)
        steps.append((str(block["type"]), enrichment.open(folder)))
    return Pipeline(adapters, steps, resolver)


def _from_envelope(columns: Columns, envelope: pa.Table) -> Columns:
    """Fill from the request what the tracker did not say itself."""
    sources = {
        "v_collector": "collector",
        "user_ipaddress": "ip_address",
        "network_userid": "network_userid",
        "useragent": "useragent",
        "page_url": "referer_uri",
    }
    return {name: pc.coalesce(columns[name], column(envelope, source)) for name, source in sources.items()}


def _names(raws: list[_Raw], described: SelfDescribing) -> Columns:
    rows: list[tuple[str | None, str | None, str | None]] = []
    for raw, key in zip(raws, described.event_keys, strict=True):
        code = raw.parameters.get("e")
        if code == "ue" and key is not None:
            rows.append((key.vendor, key.name, str(key.version)))
        else:
            rows.append((*EVENTS.get(str(code), (None, None, None))[1:], "1-0-0"))
    vendors, names, versions = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        "event_vendor": pa.array(vendors, STRING),
        "event_name": pa.array(names, STRING),
        "event_version": pa.array(versions, STRING),
        "event_format": pa.array(["jsonschema"] * len(rows), STRING),
    }


def _identity(columns: Columns, raws: list[_Raw], rows: list[dict[str, Any]]) -> Columns:
    ids = columns["event_id"]
    if ids.null_count == 0:
        return {}
    made = [
        stable_id(rows[raw.payload]["payload_id"], raw.place, "event") if id_ is None else id_
        for raw, id_ in zip(raws, ids.to_pylist(), strict=True)
    ]
    return {"event_id": pa.array(made, STRING)}


def _moments(columns: Columns, envelope: pa.Table, now: datetime) -> Columns:
    """Derive the moment of each event: the true one if told, else the device's, by the collector's clock."""
    collector, created, sent = (
        column(envelope, "collector_tstamp"),
        columns["dvce_created_tstamp"],
        columns["dvce_sent_tstamp"],
    )
    corrected = pc.if_else(pc.greater(sent, created), pc.subtract(collector, pc.subtract(sent, created)), collector)
    return {
        "collector_tstamp": collector,
        "derived_tstamp": pc.coalesce(columns["true_tstamp"], corrected, collector),
        "etl_tstamp": pa.array([now] * len(collector), TIMESTAMP),
        "v_etl": pa.array([f"catchment-{__version__}"] * len(collector), STRING),
    }


def _table(columns: Columns, envelope: pa.Table, size: int) -> pa.Table:
    arrays = {known.name: columns.get(known.name, pa.nulls(size, known.type)) for known in ATOMIC}
    arrays |= {name: values for name, values in columns.items() if name not in arrays}
    arrays[OFFSET] = column(envelope, OFFSET)
    arrays[_ROW] = pa.array(range(size), pa.int64())
    return pa.table(arrays)


def _run(name: str, step: Step, events: pa.Table, faults: dict[int, tuple[str, list[Fault]]]) -> pa.Table:
    """Run one enrichment over all events; where it raises, over each half, so that only those which raise fail.

    An enrichment may be anybody's code, so whatever it raises is a failed event and told there.
    """
    if events.num_rows == 0:
        return events
    try:
        return _apply(events, step(events))
    except TransientError:
        raise
    except Exception as error:
        if events.num_rows == 1:
            message = f"The enrichment {name} raised {type(error).__name__}: {error}"
            faults[events[_ROW][0].as_py()] = (ENRICHMENT_FAILURES, [Fault("enrichment", message, path=name)])
            return events.slice(0, 0)
    middle = events.num_rows // 2
    parts = [_run(name, step, half, faults) for half in (events.slice(0, middle), events.slice(middle))]
    return pa.concat_tables(parts, promote_options="default")


def _apply(events: pa.Table, columns: Columns) -> pa.Table:
    for name, values in columns.items():
        if name not in events.column_names:
            events = events.add_column(events.column_names.index(OFFSET), name, values)
            continue
        if name.startswith(f"{ENTITY}_"):
            values = _join(column(events, name), values)
        events = events.set_column(events.column_names.index(name), name, values)
    return events


def _join(sent: pa.Array, derived: pa.Array) -> pa.Array:
    pairs = zip(sent.to_pylist(), derived.to_pylist(), strict=True)
    return pa.array([[*(old or ()), *(new or ())] or None for old, new in pairs], sent.type)


def _check_lengths(events: pa.Table, faults: dict[int, tuple[str, list[Fault]]]) -> pa.Table:
    """Fail the events of which a text is longer than its column holds: cut, it would be another text."""
    rows = column(events, _ROW)
    failed: set[int] = set()
    for known in ATOMIC:
        if known.max_length is None:
            continue
        values = events[known.name]
        if values.null_count == len(values):
            continue
        long = pc.fill_null(pc.greater(pc.utf8_length(values), known.max_length), False)
        for position in pc.indices_nonzero(long).to_pylist():
            message = f"{known.name}: the text is longer than {known.max_length} characters."
            row = rows[position].as_py()
            failed.add(row)
            faults.setdefault(row, (SCHEMA_VIOLATIONS, []))[1].append(Fault("too_long", message, path=known.name))
    return events if not failed else events.filter(pc.invert(pc.is_in(rows, value_set=pa.array(sorted(failed)))))
