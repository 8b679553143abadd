"""Payloads go in, events and failed events come out, and their number adds up.

Order: part payloads into events, convert parameters, judge JSON by its schema, run the chain of enrichments. An event
that fails at any step leaves for `failed_events` with its original; the others go on.
"""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from catchment import __version__
from catchment.enrich import EnrichSettings
from catchment.enrich.adapter import ADAPTER, Adapter, Part, Unreadable
from catchment.enrich.chain import SCHEMA_VIOLATIONS, Chain, Faults, check_order, open_link
from catchment.enrich.enrichment import HEADERS, PARAMETERS, SOURCE, Columns, Enrichment, column
from catchment.enrich.failure import IS_READ, PLACE, SENT, Failures, stable_id
from catchment.enrich.parameters import EVENTS, convert_parameters
from catchment.enrich.result import ROW, Results
from catchment.enrich.self_describing import SelfDescribing
from catchment.event import ATOMIC, STRING, TIMESTAMP
from catchment.plugin import build_plugin, find_plugin, list_plugins
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault
from catchment.tables import OFFSET

SIZE_VIOLATION = "size_violation"
FORMAT_VIOLATION = "collector_payload_format_violation"

_HELD_BYTES = 32 * 2**20
_HELD_PAYLOADS = 1_000
"""What is enriched at once; more costs the garbage collector more than larger columns save."""
_YEAR_1 = datetime(1, 1, 1, tzinfo=UTC)
_OVERSIZE = "catchment-oversize: "
_PACKED = "catchment-packed: "


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

    def __init__(self, adapters: Sequence[Adapter], chain: Chain, resolver: Resolver) -> None:
        self._adapters = adapters
        self._chain = chain
        self._resolver = resolver

    def enrich(self, payloads: pa.Table, now: datetime) -> Enriched:
        """Enrich a batch; the same batch at the same `now` gives the same rows, ids included.

        Raises TransientError where something outside did not answer: the batch waits, for good events must not fail.
        """
        done = []
        for part in _slices(payloads):
            with _uncollected():
                done.append(self._enrich(part, now))
        events = pa.concat_tables([part.events for part in done], promote_options="permissive")
        names = [name for name in events.column_names if name != OFFSET]
        failed = pa.concat_tables([part.failed for part in done])
        return Enriched(events.select([*names, OFFSET]), failed, events.num_rows + failed.num_rows)

    def trace(self, payloads: pa.Table, now: datetime) -> tuple[Enriched, list[dict[str, Any]]]:
        """Enrich a few payloads, and give of each event also the tracker's parameters that it was made from."""
        done, raws, rows = self._work(payloads, now)
        return done, [raws[row].parameters for row in rows]

    def _enrich(self, payloads: pa.Table, now: datetime) -> Enriched:
        return self._work(payloads, now)[0]

    def _work(self, payloads: pa.Table, now: datetime) -> tuple[Enriched, list[_Raw], list[int]]:
        """Enrich what fits at once; the last are the positions of the events among the raw ones."""
        rows = payloads.to_pylist()
        failures = Failures(now)
        raws = self._part(rows, failures)
        faults: Faults = {}
        events = self._convert(raws, rows, payloads, faults, now)
        events = self._chain.run(events, faults, now)
        for position, (kind, reasons) in sorted(faults.items()):
            raw = raws[position]
            failures.add_event(rows[raw.payload], raw.place, kind, reasons, raw.parameters)
        failed = failures.table()
        names = [name for name in events.column_names if not name.startswith("_")]
        done = Enriched(events.select([*names, OFFSET]), failed, events.num_rows + failed.num_rows)
        return done, raws, events[ROW].to_pylist()

    def _part(self, rows: list[dict[str, Any]], failures: Failures) -> list[_Raw]:
        raws: list[_Raw] = []
        for number, row in enumerate(rows):
            try:
                parts = self._parts(row)
            except Unreadable as error:
                failures.add_payload(row, error.kind, error.faults)
                continue
            for index, part in parts:
                if part.unreadable is not None:
                    kind, faults = part.unreadable.kind, part.unreadable.faults
                    failures.add_event(row, index, kind, faults, part.parameters, is_read=False)
                else:
                    raws.append(_Raw(number, index, part.parameters))
        return raws

    def _parts(self, row: dict[str, Any]) -> list[tuple[int, Part]]:
        """Part a payload; one that is replayed stands for that of its events alone that failed."""
        place = row.get(PLACE)
        if row.get(SENT) is None:
            parts = enumerate(self._adapter(row).part(row, self._resolver))
            return [(index, part) for index, part in parts if place in (None, index)]
        sent, place = orjson.loads(row[SENT]), place or 0
        if row[IS_READ]:
            return [(place, Part(sent))]
        return [(place, self._adapter(row).part_again(sent, place, row, self._resolver))]

    def _adapter(self, payload: dict[str, Any]) -> Adapter:
        for header in payload["headers"] or ():
            if header.startswith(_OVERSIZE):
                message = f"The body is {header.removeprefix(_OVERSIZE)} bytes long, more than the collector takes."
                raise Unreadable(SIZE_VIOLATION, [Fault("too_large", message)])
            if header.startswith(_PACKED):
                message = f"The body cannot be unpacked: {header.removeprefix(_PACKED)}."
                raise Unreadable(FORMAT_VIOLATION, [Fault("packed", message)])
        for adapter in self._adapters:
            if adapter.accepts(payload["path"]):
                return adapter
        message = f"No adapter knows the path {payload['path'][:200]}."
        raise Unreadable(ADAPTER, [Fault("unknown_path", message)])

    def _convert(
        self,
        raws: list[_Raw],
        rows: list[dict[str, Any]],
        payloads: pa.Table,
        faults: Faults,
        now: datetime,
    ) -> pa.Table:
        """Give the valid events as a table; the others stand in `faults` by their position in `raws`."""
        columns, wrong = convert_parameters([raw.parameters for raw in raws])
        described = SelfDescribing(self._resolver, len(raws))
        for position, raw in enumerate(raws):
            reasons = described.read(position, raw.parameters) + wrong.get(position, [])
            if reasons:
                faults[position] = (SCHEMA_VIOLATIONS, reasons)
        envelope = payloads.drop_columns(["body"]).take(pa.array([raw.payload for raw in raws], pa.int64()))
        columns |= _from_envelope(columns, envelope)
        columns |= _names(raws, described)
        columns |= _identity(columns, raws, rows)
        columns |= _moments(columns, envelope, now)
        table = _table(columns | described.columns() | self._on_request(raws, envelope), envelope, len(raws))
        if not faults:
            return table
        good = pa.array([position not in faults for position in range(len(raws))], pa.bool_())
        return table.filter(good)

    def _on_request(self, raws: list[_Raw], envelope: pa.Table) -> Columns:
        """Give what only some enrichments look at, where one of this chain does."""
        columns: Columns = {}
        if HEADERS in self._chain.reads:
            columns[HEADERS] = column(envelope, "headers")
        if PARAMETERS in self._chain.reads:
            columns[PARAMETERS] = pa.array([orjson.dumps(raw.parameters).decode() for raw in raws], STRING)
        if SOURCE in self._chain.reads:
            ids = column(envelope, "payload_id").to_pylist()
            columns[SOURCE] = pa.array([f"{id_}/{raw.place}" for id_, raw in zip(ids, raws, strict=True)], STRING)
        return columns


def build_enrichments(settings: EnrichSettings, folder: Path) -> list[tuple[str, Enrichment]]:
    """Build the enrichments of a project in their order, each with its type; none is opened."""
    built = []
    for position, block in enumerate(settings.enrichments):
        place = f"enrich.enrichments.{position}"
        enrichment = build_plugin("enrich/enrichments", block, place=place, project_folder=folder)
        built.append((str(block["type"]), enrichment))
    return built


def open_pipeline(settings: EnrichSettings, resolver: Resolver, folder: Path) -> Pipeline:
    """Open adapters and enrichments of a project; raises SettingsError where one lacks what it needs."""
    adapters = _open_adapters(settings, folder)
    enrichments = build_enrichments(settings, folder)
    check_order(enrichments, folder)
    links = [open_link(name, enrichment, folder) for name, enrichment in enrichments]
    return Pipeline(adapters, Chain(links, Results(resolver), strict=settings.strict), resolver)


def _open_adapters(settings: EnrichSettings, folder: Path) -> list[Adapter]:
    """Build every adapter there is, with its settings where it has any; raises PluginError for one there is not."""
    for name in settings.adapters:
        find_plugin("enrich/adapters", name, folder)
    return [
        build_plugin(
            "enrich/adapters",
            {"type": name, **settings.adapters.get(name, {})},
            place=f"enrich.adapters.{name}",
            project_folder=folder,
        )
        for name in list_plugins("enrich/adapters", folder)
    ]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Look for no cycles of garbage while the block lasts: all that it makes is needed to its end, and is bounded."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _slices(payloads: pa.Table) -> list[pa.Table]:
    """Cut a batch where it gets too much to be held at once, at least one payload in each part."""
    slices, start, held = [], 0, 0
    for position, size in enumerate(pc.fill_null(pc.binary_length(payloads["body"]), 0).to_pylist()):
        if position > start and (held + size > _HELD_BYTES or position - start == _HELD_PAYLOADS):
            slices.append(payloads.slice(start, position - start))
            start, held = position, 0
        held += size
    return [*slices, payloads.slice(start)]


def _from_envelope(columns: Columns, envelope: pa.Table) -> Columns:
    """Fill from the request what the tracker did not say itself; an empty text says nothing."""
    sources = {
        "v_collector": "collector",
        "user_ipaddress": "ip_address",
        "network_userid": "network_userid",
        "useragent": "useragent",
        "page_url": "referer_uri",
    }
    told = {name: column(envelope, source) for name, source in sources.items()}
    return {name: pc.coalesce(columns[name], pc.if_else(pc.equal(said, ""), None, said)) for name, said in told.items()}


def _names(raws: list[_Raw], described: SelfDescribing) -> Columns:
    fixed = {code: (vendor, name, "1-0-0") for code, (_, vendor, name) in EVENTS.items()}
    told = {key: (key.vendor, key.name, str(key.version)) for key in set(described.event_keys) if key is not None}
    rows: list[tuple[str | None, str | None, str | None]] = []
    for raw, key in zip(raws, described.event_keys, strict=True):
        code = str(raw.parameters.get("e"))
        rows.append(told[key] if code == "ue" and key is not None else fixed.get(code, (None, None, "1-0-0")))
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
    waited = pc.subtract(collector, pc.subtract(sent, created))
    is_known = pc.and_(pc.greater(sent, created), pc.greater_equal(waited, pa.scalar(_YEAR_1, TIMESTAMP)))
    corrected = pc.if_else(is_known, waited, collector)
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
    arrays[ROW] = pa.array(range(size), pa.int64())
    return pa.table(arrays)
