"""What dbt-duckdb needs to build models over the lake: views to read from, and a way to write a model back to Delta."""

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

from catchment.errors import LakeError
from catchment.lake.changes import appended_since
from catchment.lake.delta_views import load_delta, view_table, view_tables
from catchment.lake.files import Files
from catchment.lake.key_index import KEYS, KeyIndex
from catchment.lake.lake import Lake
from catchment.lake.merge import Merge, Standing, merge_changed
from catchment.lake.moves import MAPPING, PLAN, show_moves
from catchment.lake.rewrite import only
from catchment.lake.whole import ROWS_PER_BATCH, replace_whole

FEW_KEYS = 50_000
"""The rows of more keys are found as fast by looking through all."""


class Plugin(BasePlugin):  # type: ignore[misc]
    """The `lake` of a dbt profile; dbt-duckdb finds it by this name."""

    def initialize(self, config: dict[str, Any]) -> None:
        """Take the lake's address from the profile."""
        self.lake = Lake(config["uri"], config["storage_options"])
        self.folder = Path(config["folder"])
        self.connection: duckdb.DuckDBPyConnection | None = None
        self.standing: dict[str, Standing] = {}
        self.index = KeyIndex(self.folder / KEYS)
        self.seen: dict[str, Files] = {}

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Show dbt every table of the lake, models of earlier builds among them, and what is to be built."""
        load_delta(conn)
        conn.execute("set preserve_insertion_order = false")
        conn.execute("set parquet_metadata_cache = true")  # a build asks the same files several times
        conn.execute("set temp_directory = " + _text(str(self.folder / "spill")))
        view_tables(conn, self.lake)
        self.plan = json.loads((self.folder / PLAN).read_text())
        _show_plan(conn, self.lake, self.plan)
        self.connection = conn

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Repeat what a cursor does not inherit."""
        cursor.execute("set timezone = 'UTC'")

    def store(self, target_config: TargetConfig) -> None:
        """Bring the Delta table of one model to what dbt has built and committed: whole, or what differs.

        Or, before it is built, show it the rows that stand and that it is about to make anew, or those with some keys.
        """
        if self.connection is None:
            raise RuntimeError("dbt stores a model before it has connected.")
        name = target_config.relation.identifier
        config = target_config.config
        with self.connection.cursor() as cursor:
            self.configure_cursor(cursor)
            if config.get("looked_up"):
                self._look_up(cursor, name, config)
                return
            if config.get("is_standing"):
                self.standing[name] = Standing(cursor, self.lake, Merge.of(name, config), self.index)
                return
            if config["is_incremental"]:
                standing = self.standing.pop(name, None)
                merge_changed(cursor, self.lake, Merge.of(name, config), standing, index=self.index)
            else:
                self._refuse_to_lose(name, config)
                if config["unique_key"]:
                    replace_whole(cursor, self.lake, Merge.of(name, config))
                else:
                    rows = cursor.execute(f'select * from "{config["built"]}"').to_arrow_reader(ROWS_PER_BATCH)
                    self.lake.overwrite(name, rows, partition_by=config["partition_by"])
            view_table(self.connection, self.lake, name)
            self.seen.pop(name, None)
            if name == MAPPING:
                show_moves(cursor, self.lake, self.plan["mapping_versions"])

    def _look_up(self, cursor: duckdb.DuckDBPyConnection, name: str, config: dict[str, Any]) -> None:
        """Make a table `looked_up` of the rows with one of some keys."""
        columns, column, keys = config["columns"], config["column"], config["keys"]
        count = cursor.execute(f"select count(*) from ({keys}) as asked").fetchall()[0][0]
        rows = f'"{name}"'
        if count <= FEW_KEYS:
            rows = "found"
            cursor.register(rows, self._find(cursor, name, config, is_asked=bool(count)))
        names = ", ".join(f'"{told}"' for told in columns)
        chosen = f'select {names} from {rows} where "{column}" in ({keys})'
        cursor.execute(f'create or replace table "{config["looked_up"]}" as {chosen}')
        cursor.unregister("found")

    def _find(
        self, cursor: duckdb.DuckDBPyConnection, name: str, config: dict[str, Any], *, is_asked: bool
    ) -> pa.Table:
        """Read the rows that may have one of the keys; where none is asked for, that takes no look at the index."""
        columns = config["columns"]
        files = self.seen[name] = self.seen.get(name) or Files(self.lake.delta(name), self.lake.folder(name))
        places = {}
        if is_asked:
            places = self.index.find(cursor, name, files, files.all, config["column"], config["keys"])
        some = [file for file in files.all if file.number in places]
        told = zip(some, files.each(some, columns), strict=True)
        return pa.concat_tables([files.read([], columns), *(only(rows, places[file.number]) for file, rows in told)])

    def _refuse_to_lose(self, name: str, config: dict[str, Any]) -> None:
        """Raise where a table that stands would be replaced by the rows that are new, as dbt did not find it."""
        if config["unique_key"] and not config["is_full"] and self.lake.exists(name):
            raise LakeError(
                f"Table '{name}' stands in the lake {self.lake.uri}, but dbt did not find it; nothing was written.",
                hint="`catchment build --full-refresh` makes all tables anew.",
            )


def forget_connection() -> None:
    """Have the next call of dbt connect anew: dbt-duckdb may keep the connection of a call before, and its views."""
    DuckDBConnectionManager.close_all_connections()


def _show_plan(conn: duckdb.DuckDBPyConnection, lake: Lake, plan: dict[str, Any]) -> None:
    conn.execute(
        "create table build_slice as select cast($first_day as date) as first_day, cast($last_day as date) as last_day",
        {"first_day": plan["first_day"], "last_day": plan["last_day"]},
    )
    show_moves(conn, lake, ())
    columns = ", ".join(plan["columns"])
    appended = None if plan["since"] is None else appended_since(lake, "events", plan["since"])
    if appended is None:
        conn.execute(f"create view new_events as select {columns} from events where {_seen_within(plan)}")
        return
    rows = appended.read(plan["columns"])
    conn.register("appended_events", rows)
    conn.execute(f"create table new_events as select {columns} from appended_events")
    conn.unregister("appended_events")


def _seen_within(plan: dict[str, Any]) -> str:
    """SQL: the days of a slice. A visit that began on one of them was seen on it, so other days need no look."""
    if plan["first_day"] is None:
        return "true"
    first, last = (f"timestamptz '{plan[name]} 00:00:00+00'" for name in ("first_day", "last_day"))
    return f"collector_tstamp >= {first} and collector_tstamp < {last} + to_days(1)"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
