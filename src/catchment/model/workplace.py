"""The dbt project as it runs: ours, the project's own models and macros, the settings, and a way to call dbt."""

import json
import re
import shutil
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from catchment.errors import CatchmentError
from catchment.lake.engine import Engine
from catchment.lake.lake import Lake
from catchment.model import ModelSettings
from catchment.model.identity.orders import ORDERS, Orders
from catchment.model.plan import PROJECT, Plan
from catchment.model.trait_sql import PEOPLE_TRAITS, Sources, write_model
from catchment.model.traits import read_traits
from catchment.model.variables import known_columns, model_variables, new_event_columns
from catchment.observe import Progress
from catchment.tables import MODEL_BUILDS

_MACRO_NAME = re.compile(r"{%-?\s*macro\s+(\w+)")
_MACRO = re.compile(r"{%-?\s*macro\s+(?P<name>\w+).*?endmacro\s*-?%}", re.DOTALL)
WORK_FOLDER = ".catchment/dbt"
WHAT = "models and tests are built"
_QUIET = (
    *("--quiet", "--log-level", "none", "--log-level-file", "info", "--no-use-colors"),
    *("--no-send-anonymous-usage-stats", "--no-version-check"),
)


class BuildFailed(CatchmentError):
    """A model or one of its tests failed; the tables built before it stand."""


@dataclass(frozen=True)
class Workplace:
    """A folder in which dbt runs."""

    folder: Path
    event_columns: list[str]
    traits_mark: str | None

    def follow(self, plan: Plan) -> None:
        """Leave the plan where dbt's plugin finds it."""
        content = asdict(plan) | {"columns": self.event_columns}
        (self.folder / "plan.json").write_text(json.dumps(content, default=str))

    def call(self, arguments: list[str], progress: Progress) -> list[Any]:
        """Call dbt in this process and give its results; raises BuildFailed where it cannot read the models."""
        from dbt.cli.main import dbtRunner

        from catchment.lake.dbt_duckdb import forget_connection

        forget_connection()

        def watch(event: Any) -> None:
            if event.info.name == "LogStartLine":
                progress(WHAT, event.data.index - 1, event.data.total)

        places = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        places += ["--target-path", str(self.folder / "target"), "--log-path", str(self.folder / "logs")]
        outcome = dbtRunner(callbacks=[watch]).invoke([*_QUIET, *arguments, *places])
        progress(WHAT, 1, 1)
        if outcome.exception is not None:
            raise BuildFailed(f"dbt could not read the models: {outcome.exception}", hint="Mend the file it names.")
        return list(getattr(outcome.result, "results", []))


def _give_way(macros: Path) -> None:
    """Take away those of our macros that the project has too: dbt allows a name once."""
    theirs = {name for path in macros.glob("own/**/*.sql") for name in _MACRO_NAME.findall(path.read_text())}
    for path in macros.glob("*.sql"):
        text = path.read_text()
        left = _MACRO.sub(lambda macro: "" if macro["name"] in theirs else macro[0], text)
        if left != text:
            path.write_text(left)


def lay_out(lake: Lake, engine: Engine, settings: ModelSettings, folder: Path) -> Workplace:
    """Lay out the dbt project; it is only ever written here, so an upgrade replaces ours and keeps yours."""
    work = folder / WORK_FOLDER
    for part in ("models", "macros", "seeds"):
        shutil.rmtree(work / part, ignore_errors=True)
    shutil.copytree(PROJECT, work, dirs_exist_ok=True)
    for part, own in (("models", settings.user_models), ("macros", settings.user_macros)):
        if own is not None and (folder / own).is_dir():
            shutil.copytree(folder / own, work / part / "own")
    _give_way(work / "macros")
    known = known_columns(lake)
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    project["vars"] = model_variables(settings, known)
    (work / "dbt_project.yml").write_text(yaml.safe_dump(project, sort_keys=False))
    profile = work / "profiles.yml"
    profile.touch(mode=0o600)
    target = engine.dbt_target(lake, work)
    _lay_identity(lake, target, settings, folder)
    profile.write_text(yaml.safe_dump({"catchment": {"target": "lake", "outputs": {"lake": target}}}))
    return Workplace(work, new_event_columns(settings, known), _lay_traits(lake, settings, folder))


def _lay_identity(lake: Lake, target: dict[str, Any], settings: ModelSettings, folder: Path) -> None:
    """Leave how people are formed, and have the plugin that forms them beside the lake's, configured as it is."""
    orders = Orders.of_project(lake, settings.identity, folder)
    orders.write(folder / WORK_FOLDER / ORDERS)
    plugins = target["plugins"]
    plugins.append({**plugins[0], "module": "catchment.model.identity.dbt_duckdb", "alias": "identity"})


def _lay_traits(lake: Lake, settings: ModelSettings, folder: Path) -> str | None:
    """Write the model of computed traits, also where none is declared any more but its table stands."""
    traits = read_traits(folder, settings.trait_files)
    stands = lake.exists(PEOPLE_TRAITS)
    if not traits and not stands:
        return None
    models = folder / WORK_FOLDER / "models"

    def schema_of(table: str) -> pa.Schema | None:
        return lake.schema(table) if lake.exists(table) else None

    sources = Sources(cache(schema_of), frozenset(path.stem for path in models.rglob("*.sql")), tuple(lake.tables()))
    builds = {row["model"]: row["fingerprint"] for row in lake.read(MODEL_BUILDS.name).to_pylist()}
    stands_at = builds.get(PEOPLE_TRAITS) if stands else None
    return write_model(models / "computed", traits, sources, stands_at=stands_at)
