"""The verbs that take over events of an existing pipeline, and hand ours to one."""

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO

import pyarrow as pa

from catchment.errors import SettingsError
from catchment.project.opened import Opened
from catchment.tables import OFFSET, PAYLOADS

ENRICHED, RAW = "enriched", "raw"
_SLICE = 4_000
_COMPARED = 20_000
_DERIVED_BY_NOBODY = ("contexts_com_snowplowanalytics_iglu_validation_info_1",)


@dataclass(frozen=True)
class Imported:
    """What one file came to: received = events + failed + suppressed; all are 0 where the lake held it before."""

    file: str
    records: int
    received: int = 0
    events: int = 0
    failed: int = 0
    suppressed: int = 0


class ExchangeVerbs(Opened):
    """Files of another pipeline come in, and files for one go out."""

    def import_files(self, kind: str, places: list[str]) -> list[Imported]:
        """Bring files of enriched events or raw payloads into the lake; the same content comes in once."""
        from catchment.lake.objects import find_files

        if kind not in (ENRICHED, RAW):
            raise SettingsError(f"There are no '{kind}' files.", hint=f"Say {ENRICHED} or {RAW}.")
        options = self.settings.lake.storage_options
        files = [file for place in places for file in find_files(place, options)]
        return [self._import_file(kind, file) for file in files]

    def compare(self, places: list[str]) -> list[Any]:
        """Compare files of enriched events of another pipeline with the lake, event by event; changes nothing.

        A line that is no event cannot be compared, and is counted.
        """
        from catchment.lake.compare import Compared, Comparison
        from catchment.lake.objects import find_files, opened_copy

        self.resolver.reread()
        options = self.settings.lake.storage_options
        reader, comparison, unreadable = self._reader(ENRICHED), Comparison(self.lake), 0
        for found in [file for place in places for file in find_files(place, options)]:
            with opened_copy(found, options) as (content, file):
                for lines in _slices(_records(ENRICHED, file, content, self.clock()), _COMPARED):
                    read = reader.enrich(lines, self.clock())
                    comparison.add(read.events)
                    unreadable += read.failed.num_rows
        return [*comparison.rows(), *([Compared("lines that are no event", unreadable)] if unreadable else [])]

    def export_enriched(
        self, place: str, *, since: datetime | None = None, until: datetime | None = None, schemas: tuple[str, ...] = ()
    ) -> int:
        """Write the events received in a window as Snowplow's enriched TSV; give their number.

        Raises LakeError where the lake has no events yet.
        """
        from catchment.enrich.tsv import find_homes, format_events
        from catchment.lake.objects import written_file

        written = 0
        self.lake.delta("events")
        with self.timed("export", place) as run, self.engine.attach(self.lake) as session:
            reader = session.query(*_window("select * from events", "collector_tstamp", since, until))
            homes = find_homes(reader.schema.names, self._schema_keys(schemas), self.resolver)
            derived = self._derived_columns()
            with written_file(place, self.settings.lake.storage_options) as file:
                for batch in reader:
                    lines = format_events(pa.Table.from_batches([batch]), homes, derived)
                    file.write("".join(f"{line}\n" for line in lines).encode())
                    written += len(lines)
            run.counts["events"] = written
        return written

    def export_failed(self, place: str, *, since: datetime | None = None, until: datetime | None = None) -> int:
        """Write the events that failed in a window as Snowplow's bad rows, a JSON a line; give their number.

        Raises LakeError where nothing was ever enriched.
        """
        from catchment.enrich.bad_row import to_bad_row
        from catchment.lake.objects import written_file

        written = 0
        self.lake.delta("failed_events")
        with self.timed("export", place) as run, self.engine.attach(self.lake) as session:
            reader = session.query(*_window("select * from failed_events", "collector_tstamp", since, until))
            with written_file(place, self.settings.lake.storage_options) as file:
                for batch in reader:
                    rows = batch.to_pylist()
                    file.write(b"".join(to_bad_row(row) + b"\n" for row in rows))
                    written += len(rows)
            run.counts["failed_events"] = written
        return written

    def _import_file(self, kind: str, place: str) -> Imported:
        from catchment.lake.batch import commit_batch
        from catchment.lake.objects import opened_copy
        from catchment.tables import BATCHES

        self.resolver.reread()
        reader, suppression = self._reader(kind), self.suppression()  # type: ignore[attr-defined]
        with opened_copy(place, self.settings.lake.storage_options) as (content, file), self.timed("import", place):
            log_id = f"import-{kind}-{content}"
            done, total = self.lake.committed(BATCHES.name, log_id), Imported(place, records=0)
            for payloads in _slices(_records(kind, file, content, self.clock())):
                last = payloads[OFFSET][-1].as_py()
                total = replace(total, records=last + 1)
                if last <= done:
                    continue
                read = reader.enrich(payloads, self.clock())
                outcome = suppression.apply(read.events, read.failed)
                commit_batch(self.lake, log_id, payloads, outcome, now=self.clock())
                total = Imported(
                    place,
                    records=last + 1,
                    received=total.received + read.received,
                    events=total.events + outcome.events.num_rows,
                    failed=total.failed + outcome.failed.num_rows,
                    suppressed=total.suppressed + len(outcome.suppressed),
                )
            return total

    def _reader(self, kind: str) -> Any:
        from catchment.enrich.enriched import EnrichedReader
        from catchment.enrich.pipeline import open_pipeline

        if kind == ENRICHED:
            return EnrichedReader(self.resolver)
        return open_pipeline(self.settings.enrich, self.resolver, self.folder)

    def _schema_keys(self, told: tuple[str, ...]) -> list[Any]:
        """Name the schemas that columns of the lake may be of: ours, the enrichments', and those that are told."""
        from catchment.schema.key import SchemaKey

        settings = [value for block in self.settings.enrich.enrichments for value in block.values()]
        uris = [*(value for value in settings if isinstance(value, str)), *told, *self._event_uris()]
        parsed = [SchemaKey.parse(uri) for uri in uris]
        return [*self.resolver.keys(), *(key for key in parsed if key is not None)]

    def _event_uris(self) -> list[str]:
        names = "event_vendor || '/' || event_name || '/' || event_format || '/' || event_version"
        with self.engine.attach(self.lake) as session:
            table = session.query(f"select distinct {names} as name from events where event = 'unstruct'").read_all()
        return [f"iglu:{name}" for name in table["name"].to_pylist() if name]

    def _derived_columns(self) -> frozenset[str]:
        """Name the columns of entities that enrichments write."""
        from catchment.enrich.flag import FAILURE_COLUMN
        from catchment.enrich.pipeline import build_enrichments

        built = build_enrichments(self.settings.enrich, self.folder)
        written = [name for _, enrichment in built for name in enrichment.writes()]
        return frozenset((*written, FAILURE_COLUMN, *_DERIVED_BY_NOBODY))


def _window(sql: str, column: str, since: datetime | None, until: datetime | None) -> tuple[str, dict[str, Any]]:
    bounds = {"since": since, "until": until}
    marks = {"since": ">=", "until": "<"}
    told = {name: moment for name, moment in bounds.items() if moment is not None}
    conditions = " and ".join(f"{column} {marks[name]} ${name}" for name in told)
    return (f"{sql} where {conditions}" if told else sql), told


def _records(kind: str, file: BinaryIO, content: str, now: datetime) -> Iterator[dict[str, Any]]:
    from catchment.enrich.enriched import PATH
    from catchment.enrich.failure import NAMESPACE
    from catchment.enrich.raw import read_payloads

    if kind == RAW:
        yield from read_payloads(file, content, now)
        return
    for number, line in enumerate(file):
        yield {
            **dict.fromkeys(PAYLOADS.schema.names),
            "payload_id": str(uuid.uuid5(NAMESPACE, f"{content}/{number}")),
            "collector_tstamp": now,
            "collector": "import",
            "path": PATH,
            "headers": [],
            "body": line.rstrip(b"\r\n"),
        }


def _slices(records: Iterator[dict[str, Any]], size: int = _SLICE) -> Iterator[pa.Table]:
    numbered = ({**record, OFFSET: number} for number, record in enumerate(records))
    while rows := list(itertools.islice(numbered, size)):
        yield pa.Table.from_pylist(rows, schema=PAYLOADS.schema)
