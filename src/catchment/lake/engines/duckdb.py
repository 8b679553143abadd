"""DuckDB in this process, reading Delta through its own extension."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from duckdb_extensions import import_extension

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
        import_extension("delta")
        config: dict[str, Any] = {"memory_limit": self.memory_limit, "threads": self.threads}
        with duckdb.connect(":memory:", config=config) as connection:
            connection.execute("set timezone = 'UTC'")
            connection.execute("load delta")
            for table in lake.tables():
                path = lake.path(table).replace("'", "''")
                connection.execute(f"create view {table} as select * from delta_scan('{path}')")
            yield _DuckDBSession(connection)
