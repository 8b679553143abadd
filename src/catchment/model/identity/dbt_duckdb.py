"""The plugin `identity` of dbt-duckdb: takes what identity_news has told, and brings identity's tables up to date."""

import json
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from catchment.lake.lake import Lake
from catchment.lake.moves import PLAN
from catchment.model.identity.orders import ORDERS, Orders
from catchment.model.identity.touched import show_whole
from catchment.model.identity.update import update_identity
from catchment.tables import IDENTITY_IDENTIFIERS, IDENTITY_NEWS


class Plugin(BasePlugin):  # type: ignore[misc]
    """The `identity` of a dbt profile; dbt-duckdb finds it by this name."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Take the lake's address from the profile."""
        self.lake = Lake(config["uri"], config["storage_options"])
        self.folder = Path(config["folder"])
        self.connection: duckdb.DuckDBPyConnection | None = None

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Keep the connection in which dbt builds, and make room for its own news where another engine's stand.

        In a call that does not look for what is touched, all may be.
        """
        conn.execute(f"drop view if exists {IDENTITY_NEWS.name}")
        self.connection = conn
        if self.lake.exists(IDENTITY_IDENTIFIERS.name):
            show_whole(conn)

    def store(self, target_config: TargetConfig) -> None:
        """Find out who is who, from the news that dbt has built and committed."""
        if self.connection is None:
            raise RuntimeError("dbt stores a model before it has connected.")
        orders = Orders.read(self.folder / ORDERS)
        with self.connection.cursor() as cursor:
            cursor.execute("set timezone = 'UTC'")
            is_full = bool(target_config.config["is_full"])
            update_identity(cursor, self.lake, orders, is_full=is_full, keeper=self.connection)
            if json.loads((self.folder / PLAN).read_text())["is_mapping_whole"]:
                show_whole(cursor)
