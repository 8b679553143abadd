"""Run dbt over the lake: Catchment's models, then the project's own beside them."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from catchment.errors import CatchmentError, DefinitionError, LakeError
from catchment.lake.engine import Engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.observe import Progress, say_nothing

PROJECT = Path(__file__).parent / "dbt"
WORK_FOLDER = ".catchment/dbt"
WHAT = "models and tests are built"
_TYPED = re.compile(r"\b(?:contexts|unstruct_event)_[a-z0-9_]+")


class BuildFailed(CatchmentError):
    """A model or one of its tests failed; the tables built before it stand."""


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
    """What became of each model that is a table of the lake, in the order in which they were built."""

    models: tuple[BuiltModel, ...]


def build(
    lake: Lake,
    engine: Engine,
    settings: ModelSettings,
    folder: Path,
    *,
    select: str | None = None,
    progress: Progress = say_nothing,
) -> BuildReport:
    """Build the models and run their tests; raises BuildFailed naming the first that failed, and dbt's reason."""
    if not lake.exists("events"):
        raise LakeError("The lake has no events yet.", hint="Send some to the collector, then `catchment enrich`.")
    work = _prepare(lake, engine, settings, folder)
    variables = json.dumps(_variables(lake, settings))
    arguments = ["build", "--project-dir", str(work), "--profiles-dir", str(work), "--vars", variables]
    results = _invoke([*arguments, *(["--select", select] if select else [])], work, progress)
    models = tuple(_read(result, lake) for result in results)
    failed = next((model for model in models if model.status in ("error", "fail")), None)
    if failed is not None:
        raise BuildFailed(
            f"The model or test '{failed.name}' failed: {failed.message}",
            hint=f"See {work / 'target' / 'compiled'}, and dbt's own log in {work / 'logs'}.",
        )
    return BuildReport(tuple(model for model in models if lake.exists(model.name)))


def _prepare(lake: Lake, engine: Engine, settings: ModelSettings, folder: Path) -> Path:
    """Lay out the dbt project; it is only ever written here, so an upgrade replaces ours and keeps yours."""
    work = folder / WORK_FOLDER
    for part in ("models", "macros"):
        shutil.rmtree(work / part, ignore_errors=True)
    shutil.copytree(PROJECT, work, dirs_exist_ok=True)
    own = folder / settings.user_models if settings.user_models else None
    if own is not None and own.is_dir():
        shutil.copytree(own, work / "models" / "own")
    profile = work / "profiles.yml"
    profile.touch(mode=0o600)
    target = engine.dbt_target(lake)
    profile.write_text(yaml.safe_dump({"catchment": {"target": "lake", "outputs": {"lake": target}}}))
    return work


def _variables(lake: Lake, settings: ModelSettings) -> dict[str, Any]:
    """Give dbt the settings; what reads a column that no event has brought yet reads as null."""
    known = set(lake.delta("events").schema().to_arrow().names)

    def missing(sql: str) -> bool:
        return any(name not in known for name in _TYPED.findall(sql))

    conversions = [
        {
            "name": conversion.name,
            "condition": "false" if missing(conversion.condition) else f"({conversion.condition})",
            "value": "null" if conversion.value is None or missing(conversion.value) else f"({conversion.value})",
            "default_value": conversion.default_value,
        }
        for conversion in settings.conversions
    ]
    return {
        "heartbeat_s": settings.heartbeat_s,
        "min_visit_length_s": settings.min_visit_length_s,
        "conversions": conversions,
        "traits": {name: _place(path, known, f"model.traits.{name}") for name, path in settings.traits.items()},
        "page_view_id": _place(settings.page_view_id, known, "model.page_view_id"),
    }


def _place(path: str, known: set[str], setting: str) -> dict[str, str]:
    if not re.fullmatch(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?", path):
        raise DefinitionError(
            f"{setting} is '{path}', which is neither COLUMN nor ENTITY_COLUMN.FIELD.",
            hint="Write for example `contexts_com_acme_user_1.email`.",
        )
    column, _, field = path.partition(".")
    if column in known:
        return {"column": column, "field": field}
    if _TYPED.fullmatch(column):
        return {"column": "cast(null as string)", "field": ""}
    raise DefinitionError(
        f"{setting} names '{column}', which is no column of events.", hint="docs/model.md lists them."
    )


def _invoke(arguments: list[str], work: Path, progress: Progress) -> list[Any]:
    from dbt.cli.main import dbtRunner

    def watch(event: Any) -> None:
        if event.info.name == "LogStartLine":
            progress(WHAT, event.data.index - 1, event.data.total)

    quiet = [
        "--quiet",
        "--log-level",
        "none",
        "--no-use-colors",
        "--no-send-anonymous-usage-stats",
        "--no-version-check",
    ]
    places = ["--target-path", str(work / "target"), "--log-path", str(work / "logs")]
    outcome = dbtRunner(callbacks=[watch]).invoke([*quiet, *arguments, *places])
    progress(WHAT, 1, 1)
    if outcome.exception is not None:
        raise BuildFailed(f"dbt could not read the models: {outcome.exception}", hint="Mend the file it names.")
    return list(getattr(outcome.result, "results", []))


def _read(result: Any, lake: Lake) -> BuiltModel:
    node = result.node
    is_table = node.resource_type == "model" and str(result.status) == "success" and lake.exists(node.name)
    return BuiltModel(
        name=node.name,
        status=str(result.status),
        rows=lake.delta(node.name).count() if is_table else 0,
        seconds=float(result.execution_time),
        message=str(result.message or "").strip(),
    )
