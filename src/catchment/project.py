"""A project folder and its verbs; the only file that knows more than one stage.

A verb imports its stage when it is called: MLflow and dbt take seconds to import and
`catchment collect` needs neither.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from catchment.errors import CatchmentError, DefinitionError, SettingsError
from catchment.lake.engine import Engine, open_engine
from catchment.lake.lake import Lake
from catchment.observe import Run, timed
from catchment.plugin import build_plugin
from catchment.settings import FILE_NAME, Settings, find_project, load_settings
from catchment.tables import OFFSET, RUNS

FROM_THE_START = -1


@dataclass(frozen=True)
class Drained:
    """What one emptying of the log came to; received = events + failed."""

    payloads: int = 0
    received: int = 0
    events: int = 0
    failed: int = 0


class Project:
    """One project: its settings, its lake, and one short method per verb."""

    def __init__(self, folder: Path, settings: Settings, *, clock: Callable[[], datetime] | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.clock = clock or (lambda: datetime.now(UTC))

    @classmethod
    def open(cls, start: Path | None = None) -> "Project":
        """Open the project in or above `start`; raises ProjectNotFound or SettingsError."""
        folder = find_project(start or Path.cwd())
        return cls(folder, load_settings(folder))

    @classmethod
    def init(cls, folder: Path, example: str = "saas") -> "Project":
        """Make a project from an example; raises SettingsError where one stands already."""
        if (folder / FILE_NAME).exists():
            raise SettingsError(f"{folder / FILE_NAME} stands already.", hint="Use it, or choose an empty folder.")
        shutil.copytree(examples_folder() / example, folder, dirs_exist_ok=True)
        return cls.open(folder)

    @cached_property
    def lake(self) -> Lake:
        """The project's lake; raises LakeError where it cannot be written."""
        return Lake.open(self.settings.lake, self.folder)

    @cached_property
    def engine(self) -> Engine:
        """The engine that queries the lake."""
        return open_engine(self.settings.lake, self.folder)

    @property
    def collector_url(self) -> str:
        """Give the address that trackers of this machine are pointed at."""
        return f"http://{self.settings.collect.host}:{self.settings.collect.port}"

    def collect(self) -> None:
        """Serve the collector until stopped."""
        from catchment.collect.server import serve_collector

        serve_collector(self.settings.collect, self.folder)

    def enrich(self, *, progress: Callable[[int], None] | None = None) -> Drained:
        """Turn every payload that waits in the log into events and failed events of the lake.

        A payload leaves the log only after the lake holds what became of it, so stopping anywhere loses nothing.
        """
        from catchment.collect.log import open_log

        log = open_log(self.settings.collect, self.folder)
        if log.depth() == 0:
            return Drained()
        with self._timed("enrich") as run:
            total = self._drain(log, progress)
            run.counts.update(vars(total))
        return total

    def waiting(self) -> int:
        """Count the payloads that wait in the log."""
        from catchment.collect.log import open_log

        return open_log(self.settings.collect, self.folder).depth()

    def _drain(self, log: Any, progress: Callable[[int], None] | None) -> Drained:
        from catchment.enrich.pipeline import open_pipeline
        from catchment.lake.batch import commit_batch
        from catchment.schema.resolver import open_resolver

        resolver = open_resolver(self.settings.schemas, self.folder)
        pipeline = open_pipeline(self.settings.enrich, resolver, self.folder)
        total = Drained()
        while (payloads := log.read(FROM_THE_START, self.settings.enrich.batch_payloads)).num_rows:
            done = pipeline.enrich(payloads, self.clock())
            commit_batch(self.lake, log.log_id, payloads, done.events, done.failed)
            log.remove_through(payloads[OFFSET][-1].as_py())
            total = Drained(
                payloads=total.payloads + payloads.num_rows,
                received=total.received + done.received,
                events=total.events + done.events.num_rows,
                failed=total.failed + done.failed.num_rows,
            )
            if progress is not None:
                progress(total.payloads)
        return total

    def ingest(self) -> dict[str, int]:
        """Load every declared source; give the rows merged by table."""
        from catchment.ingest.load import load_source

        rows = {}
        for table, block in self.settings.ingest.sources.items():
            place = f"ingest.sources.{table}"
            source = build_plugin("ingest/sources", block, place=place, project_folder=self.folder)
            with self._timed("ingest", table) as run:
                rows[table] = run.counts["rows"] = load_source(table, source, self.lake, self.folder, self.clock())
        return rows

    def build(self, select: str | None = None) -> Any:
        """Build the models over all events of the lake; give dbt's outcome by model."""
        from catchment.model.build import build

        with self._timed("build") as run:
            run.counts["events_version"] = self.lake.version("events")
            report = build(self.lake, self.engine, self.settings.model, self.folder, select=select)
            run.counts["rows"] = {model.name: model.rows for model in report.models}
        return report

    def train(self, name: str | None = None) -> list[Any]:
        """Train each prediction, or the one named, and register its model."""
        from catchment.predict.train import train

        reports = []
        for prediction in _named(self.predictions(), name, "prediction"):
            with self._timed("train", prediction.name) as run, self.engine.attach(self.lake) as session:
                run.counts["definition"] = _digest(prediction)
                report = train(prediction, session, self.settings.predict, self.folder, self.clock(), lake=self.lake)
                run.counts["model_version"] = report.model_version
            reports.append(report)
        return reports

    def score(self, name: str | None = None) -> list[Any]:
        """Score everybody with each prediction's champion."""
        from catchment.predict.score import score

        reports = []
        for prediction in _named(self.predictions(), name, "prediction"):
            with self._timed("score", prediction.name) as run, self.engine.attach(self.lake) as session:
                report = score(prediction, session, self.lake, self.settings.predict, self.folder, self.clock())
                run.counts["scored"] = report.scored
            reports.append(report)
        return reports

    def refresh(self, name: str | None = None) -> list[Any]:
        """Recompute each audience's members, or those of the one named."""
        from catchment.audience.refresh import refresh

        reports = []
        for audience in _named(self.audiences(), name, "audience"):
            with self._timed("refresh", audience.name) as run, self.engine.attach(self.lake) as session:
                report = refresh(audience, session, self.lake, self.clock())
                run.counts.update(size=report.size, entered=report.entered, left=report.left)
            reports.append(report)
        return reports

    def sync(self, name: str | None = None) -> list[Any]:
        """Bring each destination level with its audience; unchanged rows are not sent."""
        from catchment.activate.sync import run_sync

        reports = []
        for sync in _named(self.syncs(), name, "sync"):
            destination = self.destination(sync.destination)
            with self._timed("sync", sync.name) as run, self.engine.attach(self.lake) as session:
                report = run_sync(sync, destination, session, self.lake, self.clock())
                run.counts.update(sent=report.sent, rejected=report.rejected, retry=report.retry)
            reports.append(report)
        return reports

    def measure(self) -> pa.Table:
        """Put what campaigns cost beside what came of them."""
        from catchment.measure.campaigns import measure

        with self._timed("measure") as run, self.engine.attach(self.lake) as session:
            table = measure(session, self.lake, self.settings.measure, self.clock())
            run.counts["campaigns"] = table.num_rows
        return table

    def run(self, on: Callable[[str, Any], None] = lambda verb, report: None) -> None:
        """Do once what is due, in order, telling `on` each outcome; going on after a stop is the same call."""
        with self.sandbox():
            on("enrich", self.enrich())
            on("ingest", self.ingest())
            if self.is_build_due():
                on("build", self.build())
            if not self.lake.exists("first_touch_features"):
                return
            for prediction in self.predictions():
                if self.is_training_due(prediction):
                    on("train", self.train(prediction.name))
            on("score", self.score())
            on("refresh", self.refresh())
            on("sync", self.sync())
            on("measure", self.measure())

    def check(self) -> dict[str, int]:
        """Read every definition and ask every destination whether it knows us; raises what is wrong first."""
        from catchment.schema.resolver import open_resolver

        destinations = [self.destination(name) for name in self.settings.activate.destinations]
        for destination in destinations:
            destination.check()
        return {
            "schemas": open_resolver(self.settings.schemas, self.folder).check(),
            "predictions": len(self.predictions()),
            "audiences": len(self.audiences()),
            "syncs": len(self.syncs()),
            "destinations": len(destinations),
        }

    def conservation(self) -> list[dict[str, Any]]:
        """Give, for each stage, what came in beside what became of it: received = events + failed + duplicates."""
        import pyarrow.compute as pc

        batches = self.lake.read("batches")
        received, events, failed = (pc.sum(batches[name]).as_py() or 0 for name in ("received", "events", "failed"))
        in_lake = {name: self._count(name) for name in ("events", "failed_events")}
        distinct = self._count_distinct_events()
        return [
            _balance("enrich", received, events, failed, 0),
            _balance("lake", received, in_lake["events"], in_lake["failed_events"], 0),
            _balance("model", in_lake["events"], distinct, 0, in_lake["events"] - distinct),
        ]

    def _count_distinct_events(self) -> int:
        if not self.lake.exists("events"):
            return 0
        with self.engine.attach(self.lake) as session:
            table = session.query("select count(distinct event_id) as events from events").read_all()
        return int(table["events"][0].as_py())

    def status(self) -> list[dict[str, Any]]:
        """Give every verb's last end, and the tables with their rows."""
        last: dict[tuple[str, str], dict[str, Any]] = {}
        for row in self.lake.read("runs").sort_by("started_at").to_pylist():
            last[row["verb"], row["name"]] = row
        runs = [
            {"what": f"{verb} {name}".strip(), "state": row["status"], "when": row["finished_at"], "note": row["error"]}
            for (verb, name), row in last.items()
        ]
        tables = [{"what": name, "state": f"{self._count(name):,} rows"} for name in self.lake.tables()]
        return [*runs, *tables]

    def _count(self, table: str) -> int:
        return int(self.lake.delta(table).count()) if self.lake.exists(table) else 0

    def is_build_due(self) -> bool:
        """Say whether events came since the last build that ended well."""
        if not self.lake.exists("events"):
            return False
        last = self._last_ok("build")
        return last is None or last["events_version"] != self.lake.version("events")

    def is_training_due(self, prediction: Any) -> bool:
        """Say whether a prediction was never trained as its file now reads."""
        last = self._last_ok("train", prediction.name)
        return last is None or last["definition"] != _digest(prediction)

    def predictions(self) -> list[Any]:
        """Read the prediction files."""
        from catchment.predict.definition import load_predictions

        return load_predictions(self.settings.predict, self.folder)

    def audiences(self) -> list[Any]:
        """Read the audience files."""
        from catchment.audience.definition import load_audiences

        return load_audiences(self.settings.audience, self.folder)

    def syncs(self) -> list[Any]:
        """Read the sync files."""
        from catchment.activate.definition import load_syncs

        return load_syncs(self.settings.activate, self.folder)

    def destination(self, name: str) -> Any:
        """Build the destination that a sync names."""
        from catchment.activate.destination import open_destination

        return open_destination(self.settings.activate, name, self.folder)

    @contextmanager
    def sandbox(self) -> Iterator[None]:
        """Have the sandbox answer while the block lasts, where this project uses it; one that runs is left alone."""
        from catchment.listen import is_listening, running
        from catchment.sandbox.server import serve_sandbox

        place = self.settings.sandbox
        if not place.enabled or is_listening(place.host, place.port):
            yield
            return
        health = f"http://{place.host}:{place.port}/health"
        with running(serve_sandbox, place, self.folder, health_url=health, name="sandbox"):
            yield

    def _timed(self, verb: str, name: str = "") -> Any:
        def record(row: dict[str, Any]) -> None:
            self.lake.append("runs", pa.Table.from_pylist([row], RUNS.schema))

        return timed(verb, name, record=record)

    def _last_ok(self, verb: str, name: str = "") -> dict[str, Any] | None:
        filters = [("verb", "=", verb), ("name", "=", name), ("status", "=", "ok")]
        rows = self.lake.read("runs", filters=filters).sort_by("started_at").to_pylist()
        return Run.read_counts(rows[-1]) if rows else None


def examples_folder() -> Path:
    """Give the folder of example projects: inside an installed package, or beside `src` in a clone."""
    here = Path(__file__).parent
    for folder in (here / "examples", here.parents[1] / "examples"):
        if folder.is_dir():
            return folder
    raise CatchmentError("This installation has no examples.", hint="Install Catchment again.")


def _balance(stage: str, received: int, events: int, failed: int, duplicates: int) -> dict[str, Any]:
    return {"stage": stage, "received": received, "events": events, "failed": failed, "duplicates": duplicates}


def _named(definitions: list[Any], name: str | None, noun: str) -> list[Any]:
    chosen = [definition for definition in definitions if name in (None, definition.name)]
    if name is not None and not chosen:
        names = ", ".join(definition.name for definition in definitions) or "none"
        raise DefinitionError(f"There is no {noun} '{name}'.", hint=f"There are: {names}.")
    return chosen


def _digest(definition: Any) -> str:
    return hashlib.sha256(repr(definition).encode()).hexdigest()[:16]
