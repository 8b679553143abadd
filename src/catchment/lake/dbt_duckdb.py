"""What dbt-duckdb needs to build models over the lake: views to read from, and a way to write a model back to Delta."""

from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from catchment.lake.delta_views import load_delta, view_table, view_tables
from catchment.lake.lake import Lake

ROWS_PER_BATCH = 100_000


class Plugin(BasePlugin):  # type: ignore[misc]
    """The `lake` of a dbt profile; dbt-duckdb finds it by this name."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Take the lake's address from the profile."""
        self.lake = Lake(config["uri"], config["storage_options"])
        self.connection: duckdb.DuckDBPyConnection | None = None

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Show dbt every table of the lake, models of earlier builds among them."""
        load_delta(conn)
        view_tables(conn, self.lake)
        self.connection = conn

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Repeat what a cursor does not inherit."""
        cursor.execute("set timezone = 'UTC'")

    def store(self, target_config: TargetConfig) -> None:
        """Replace the Delta table of one model by the relation that dbt has built and committed, batch by batch."""
        if self.connection is None:
            raise RuntimeError("dbt stores a model before it has connected.")
        name = target_config.relation.identifier
        built = target_config.config["built"]
        with self.connection.cursor() as cursor:
            self.configure_cursor(cursor)
            rows = cursor.execute(f'select * from "{built}"').to_arrow_reader(ROWS_PER_BATCH)
            self.lake.overwrite(name, rows)
            view_table(cursor, self.lake, name)
