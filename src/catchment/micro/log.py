"""A log that enriches what it is given before it says that it has it, so that a test can ask right after sending."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from catchment.collect.log import LogUnavailable, Part, Payload
from catchment.enrich import EnrichSettings
from catchment.enrich.failure import Failures
from catchment.enrich.pipeline import open_pipeline
from catchment.errors import CatchmentError, TransientError
from catchment.micro.shape import Shown, show_bad, show_good
from catchment.micro.store import Store
from catchment.schema import SchemaSettings
from catchment.schema.resolver import Resolver, open_resolver
from catchment.schema.validate import Fault
from catchment.tables import OFFSET, PAYLOADS


class Project:
    """Schemas and pipeline of a folder; a schema that is added or changed counts from the next payload on."""

    def __init__(self, folder: Path, schemas: SchemaSettings, enrich: EnrichSettings) -> None:
        self.resolver: Resolver = open_resolver(schemas, folder)
        self._pipeline = open_pipeline(enrich, self.resolver, folder)
        self._warm_up()

    def show(self, payload: Payload, now: datetime) -> list[Shown]:
        """Say what becomes of a payload.

        A schema file that is none fails every event until it is mended: whoever edits it sees it at once. Raises
        LogUnavailable where something outside, such as a registry, does not answer.
        """
        row = {OFFSET: 0, **payload._asdict()}
        try:
            self.resolver.reread()
            done, parameters = self._pipeline.trace(pa.Table.from_pylist([row], schema=PAYLOADS.schema), now)
        except TransientError as error:
            raise LogUnavailable(str(error), hint=error.hint) from error
        except CatchmentError as error:
            failures = Failures(now)
            failures.add_payload(row, "schema_violations", [Fault("unusable_schema", f"{error} {error.hint}".strip())])
            return [show_bad(failed, row) for failed in failures.table().to_pylist()]
        events = zip(done.events.to_pylist(), parameters, strict=True)
        good = [show_good(event, told, row, self.resolver) for event, told in events]
        return good + [show_bad(failed, row) for failed in done.failed.to_pylist()]

    def _warm_up(self) -> None:
        """Enrich something once: what is read on first use takes longer than a tracker waits for its answer."""
        now = datetime.now(UTC)
        said = {"path": "/i", "querystring": "e=pv&p=web&tv=x&url=https://x/", "useragent": "x", "headers": []}
        given = {"payload_id": "", "collector": "catchment", "collector_tstamp": now}
        row = {**dict.fromkeys(PAYLOADS.schema.names), OFFSET: 0, **said, **given}
        self._pipeline.trace(pa.Table.from_pylist([row], schema=PAYLOADS.schema), now)


class MicroLog:
    """The log of the collector: nothing waits in it."""

    def __init__(
        self, project: Project, store: Store, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._project = project
        self._store = store
        self._clock = clock

    async def append(self, payload: Payload) -> None:
        """Return once what became of the payload can be asked for."""
        self._store.add(self._project.show(payload, self._clock()))

    async def probe(self) -> None:
        """Nothing can fail that a payload would not show."""

    def parts(self) -> list[Part]:
        """Give none: all is enriched already."""
        return []

    def depth(self) -> int:
        """Count none."""
        return 0

    def damage(self) -> list[str]:
        """Tell of nothing: nothing lies anywhere."""
        return []

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
