"""What every query engine offers: a session over the lake's tables, queried by SQL or Ibis."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from catchment.lake import LakeSettings
from catchment.lake.lake import Lake
from catchment.plugin import Plugin, build_plugin


class Session(Protocol):
    """An open connection in which each table of the lake is a view of the same name."""

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.RecordBatchReader:
        """Run a query; values are parameters (`$name`), never pasted into the text."""
        ...

    def ibis(self) -> Any:
        """Give the Ibis backend over the same views."""
        ...


class Engine(Plugin):
    """A query engine. Stateless: everything it knows is in the lake."""

    def attach(self, lake: Lake) -> AbstractContextManager[Session]:
        """Open a session with a view for each table that stands in the lake."""
        raise NotImplementedError

    def dbt_target(self, lake: Lake, folder: Path) -> dict[str, Any]:
        """Give the output of a dbt profile that builds models over this lake, spilling and planning in `folder`."""
        raise NotImplementedError


def open_engine(settings: LakeSettings, folder: Path) -> Engine:
    """Build the engine that `lake.engine` names, a project's own `plugins/lake/engines` first."""
    engine = build_plugin("lake/engines", settings.engine, place="lake.engine", project_folder=folder)
    return cast(Engine, engine)
