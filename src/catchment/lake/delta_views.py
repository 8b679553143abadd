"""The lake's tables as views of a DuckDB connection; the Delta extension comes from PyPI, with nothing to download."""

from importlib.resources import files

import duckdb

from catchment.errors import LakeError
from catchment.lake.lake import Lake
from catchment.lake.rows import Rows


def load_delta(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the Delta extension and speak UTC; raises LakeError where the extension is not of DuckDB's version."""
    connection.execute("set timezone = 'UTC'")
    folder = files("duckdb_extension_delta") / "extensions" / f"v{duckdb.__version__}"
    extension = folder / "delta.duckdb_extension"
    if not extension.is_file():
        raise LakeError(
            f"The installed duckdb-extension-delta has no extension for DuckDB {duckdb.__version__}.",
            hint=f"pip install duckdb-extension-delta=={duckdb.__version__}",
        )
    connection.execute(f"load {_text(str(extension))}")


def view_tables(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Put a view of the same name over each table that stands in the lake, at its newest version."""
    for table in lake.tables():
        view_table(connection, lake, table)


def view_table(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> None:
    """Put a view of the same name over one table of the lake.

    DuckDB's own reader would need an extension for each kind of object store, and its own way to sign in; delta-rs has
    both already, so there DuckDB scans what delta-rs opens, with its columns and filters pushed down. Such a view
    serves every cursor, at the version that stood as it was put there. It reads through the connection it was put
    there by, which must stay open as long as somebody reads it.
    """
    if "://" in lake.uri:
        connection.from_arrow(Rows.of(lake.delta(table))).create_view(table, replace=True)
        return
    connection.execute(f"create or replace view {_name(table)} as select * from {_pin(connection, lake, table)}")


def _pin(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> str:
    """Hold the version that stands now: `delta_scan` reads the whole Delta log again for each query.

    Of a table of many files or commits that takes longer than many a query. All queries of a session also see the same
    rows then.
    """
    pinned = _name(f"{table} as it stands")
    connection.execute(f"detach database if exists {pinned}")
    connection.execute(f"attach {_text(lake.path(table))} as {pinned} (type delta, pin_snapshot)")
    return pinned


def _name(value: str) -> str:
    return '"' + value.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
