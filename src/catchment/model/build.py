"""Run dbt over the lake: Catchment's models, then the project's own beside them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from catchment.errors import LakeError
from catchment.lake.engine import Engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.plan import Plan, forget_builds, mark_of, merged_models, note_builds, plan_build
from catchment.model.trait_sql import PEOPLE_TRAITS
from catchment.model.workplace import BuildFailed, Workplace, lay_out
from catchment.observe import Progress, say_nothing

SLICE_EVENTS = 1_000_000
"""A build of everything counts about so many events at a time, so its memory does not grow with history."""
INDEXES = ("visit_days", "identity_news", "user_mapping", "statements_told", "consent_statements")
FACTS = ("base_events", "view_events", "page_views", "conversions", "sessions", "traits_told", "user_traits")
SEEDS = "resource_type:seed"
"""They live as long as a connection, so whoever builds a model loads them."""
NO_UNIT_TESTS = ("--exclude-resource-type", "unit_test")
NO_TESTS = (*NO_UNIT_TESTS, "--exclude-resource-type", "test")


@dataclass(frozen=True)
class Choice:
    """Which models to build, in dbt's own selectors, whether from nothing, and how many events at a time."""

    select: str | None = None
    exclude: str | None = None
    full_refresh: bool = False
    slice_events: int = SLICE_EVENTS

    def arguments(self) -> list[str]:
        """Give dbt's options; seeds, and the models that only say what is new, are always among the chosen."""
        chosen = ["--select", *self.select.split(), "tag:always", SEEDS] if self.select else []
        left_out = ["--exclude", *self.exclude.split()] if self.exclude else []
        return [*chosen, *left_out]


@dataclass(frozen=True)
class BuiltModel:
    """What became of one model or test; `rows` is 0 for a test."""

    name: str
    status: str
    rows: int
    seconds: float
    message: str


@dataclass(frozen=True)
class BuildReport:
    """What became of each model that is a table of the lake, in the order of building, and what was new."""

    models: tuple[BuiltModel, ...]
    plan: str


@dataclass(frozen=True)
class _Bench:
    """What one build works with."""

    lake: Lake
    engine: Engine
    place: Workplace
    choice: Choice
    progress: Progress


def build(
    lake: Lake,
    engine: Engine,
    settings: ModelSettings,
    folder: Path,
    *,
    choice: Choice = Choice(),
    progress: Progress = say_nothing,
) -> BuildReport:
    """Bring the models up to date and test them; raises BuildFailed naming the first that failed, and dbt's reason.

    Only visits and people with new events are counted again. Everything is, where nothing stands yet, where SQL or
    settings have changed, where events were removed, and where the choice asks for it.
    """
    if not lake.exists("events"):
        raise LakeError("The lake has no events yet.", hint="Send some to the collector, then `catchment enrich`.")
    place = lay_out(lake, engine, settings, folder)
    fingerprint = mark_of(settings, folder / settings.user_macros if settings.user_macros else None)
    plan = plan_build(lake, fingerprint, full_refresh=choice.full_refresh)
    bench = _Bench(lake, engine, place, choice, progress)
    models = [_read(result, lake) for result in _results(bench, plan)]
    done = [model.name for model in models if model.status == "success" and model.name in merged_models()]
    note_builds(lake, sorted(set(done)), fingerprint, plan.through)
    if place.traits_mark is not None and any(_is_done(model, PEOPLE_TRAITS) for model in models):
        note_builds(lake, [PEOPLE_TRAITS], place.traits_mark, plan.through)
    failed = next((model for model in models if model.status in ("error", "fail")), None)
    if failed is not None:
        raise BuildFailed(
            f"The model or test '{failed.name}' failed: {failed.message}",
            hint=f"See {place.folder / 'target' / 'compiled'}, and dbt's own log in {place.folder / 'logs'}.",
        )
    last = {model.name: model for model in models if model.rows or lake.exists(model.name)}
    return BuildReport(tuple(last.values()), plan.reason)


def write_docs(lake: Lake, engine: Engine, settings: ModelSettings, folder: Path) -> Path:
    """Have dbt describe every model in one page, ours and the project's own; give its path."""
    place = lay_out(lake, engine, settings, folder)
    place.follow(plan_build(lake, mark_of(settings, None), full_refresh=False))
    place.call(["parse", "--write-json"], say_nothing)
    place.call(["docs", "generate", "--static", "--no-compile", "--write-json"], say_nothing)
    return place.folder / "target" / "static_index.html"


def _results(bench: _Bench, plan: Plan) -> Iterator[Any]:
    is_large = plan.since is None and bench.lake.count("events") > bench.choice.slice_events
    if is_large and not bench.choice.arguments():
        yield from _build_sliced(bench, plan)
        return
    bench.place.follow(plan)
    refresh = ["--full-refresh"] if plan.since is None else []
    yield from bench.place.call(["build", *refresh, *bench.choice.arguments(), *NO_UNIT_TESTS], bench.progress)


def _build_sliced(bench: _Bench, plan: Plan) -> Iterator[Any]:
    """Build everything anew, some days at a time: no two visits share an event."""
    forget_builds(bench.lake)
    bench.place.follow(plan)
    call, progress = bench.place.call, bench.progress
    yield from _good(call(["build", "--full-refresh", "--select", SEEDS, *INDEXES, *NO_UNIT_TESTS], progress))
    refresh = ["--full-refresh"]
    for first_day, last_day in _slices(bench):
        bench.place.follow(plan.within(first_day, last_day))
        steps = [SEEDS, "touched_days", *FACTS]
        yield from _good(call(["build", *refresh, "--select", *steps, *NO_TESTS], progress))
        refresh = []
    bench.place.follow(plan)
    yield from _good(call(["build", "--full-refresh", "--exclude", *INDEXES, *FACTS, *NO_UNIT_TESTS], progress))
    for name in filter(bench.lake.exists, FACTS):  # each slice is a commit, which whoever opens the table would read
        bench.lake.delta(name).create_checkpoint()
    tests = [f"{name},test_type:data" for name in FACTS]
    yield from call(["build", "--full-refresh", "--select", "touched_days", *tests], progress)


def _good(results: list[Any]) -> list[Any]:
    """Go on only where all went well; the caller reports what did not."""
    wrong = next((result for result in results if str(result.status) in ("error", "fail")), None)
    if wrong is not None:
        raise BuildFailed(
            f"The model or test '{wrong.node.name}' failed: {str(wrong.message or '').strip()}",
            hint="Mend it, and build again: everything is built anew.",
        )
    return results


def _slices(bench: _Bench) -> list[tuple[date, date]]:
    """Cut the first days of all visits into stretches of about as many events as the choice says."""
    with bench.engine.attach(bench.lake) as session:
        days = session.query(
            "select start_date, count(*) as visits from ("
            "select visit_id, min(event_date) as start_date from visit_days group by visit_id"
            ") as starts group by start_date order by start_date"
        ).read_all()
    weights = days["visits"].to_pylist()
    per_visit = bench.lake.count("events") / max(1, sum(weights))
    slices: list[tuple[date, date]] = []
    held = float("inf")
    for day, visits in zip(days["start_date"].to_pylist(), weights, strict=True):
        if held + visits * per_visit > bench.choice.slice_events:
            slices.append((day, day))
            held = 0.0
        else:
            slices[-1] = (slices[-1][0], day)
        held += visits * per_visit
    return slices


def _is_done(model: BuiltModel, name: str) -> bool:
    return model.name == name and model.status == "success"


def _read(result: Any, lake: Lake) -> BuiltModel:
    node = result.node
    is_model = node.resource_type == "model" and str(result.status) == "success"
    return BuiltModel(
        name=node.name,
        status=str(result.status),
        rows=lake.count(node.name) if is_model else 0,
        seconds=float(result.execution_time),
        message=str(result.message or "").strip(),
    )
