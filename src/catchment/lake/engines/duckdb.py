"""DuckDB in this process, reading Delta through its own extension."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.engine import Engine, Session
from catchment.lake.lake import Lake


class _DuckDBSession:
    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection

    def query(self, sql: str, parameters: dict[str, Any] | None = None) -> pa.RecordBatchReader:
        return self.connection.execute(sql, parameters or {}).to_arrow_reader(100_000)

    def ibis(self) -> Any:
        import ibis

        return ibis.duckdb.from_connection(self.connection)


class DuckDB(Engine):
    """DuckDB on this machine; memory beyond the limit spills to disk."""

    memory_limit: str = "2GB"
    threads: int = 2

    @contextmanager
    def attach(self, lake: Lake) -> Iterator[Session]:
        with duckdb.connect(":memory:", config=self._config()) as connection:
            load_delta(connection)
            view_tables(connection, lake)
            yield _DuckDBSession(connection)

    def dbt_target(self, lake: Lake, folder: Path) -> dict[str, Any]:
        plugin = {"uri": lake.uri, "storage_options": lake.storage_options, "folder": str(folder)}
        return {
            "type": "duckdb",
            "path": ":memory:",
            "schema": "main",
            "threads": 1,
            "config_options": self._config(),
            "plugins": [{"module": "catchment.lake.dbt_duckdb", "alias": "lake", "config": plugin}],
        }

    def _config(self) -> dict[str, Any]:
        return {"memory_limit": self.memory_limit, "threads": self.threads}
