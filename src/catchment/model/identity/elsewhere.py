"""Form people of pairs that another engine has found: the step between its identity_news and the models that follow.

The pairs are a table of the lake, of new events or of all: to tell a pair again changes nothing.
"""

from pathlib import Path

import duckdb

from catchment.errors import LakeError
from catchment.lake.delta_views import load_delta, view_tables
from catchment.lake.lake import Lake
from catchment.model.identity.orders import Orders
from catchment.model.identity.update import update_identity
from catchment.tables import IDENTITY_NEWS


def resolve_news(lake: Lake, orders: Orders, folder: Path, *, is_full: bool) -> None:
    """Bring the tables of identity up to the lake's `identity_news`; with `is_full` they are made of it alone."""
    if not lake.exists(IDENTITY_NEWS.name):
        raise LakeError(
            f"The lake has no table '{IDENTITY_NEWS.name}'.",
            hint="It is what the model of that name gives on another engine; DuckDB needs none: `catchment build`.",
        )
    known = set(lake.schema(IDENTITY_NEWS.name).names)
    missing = [name for name in IDENTITY_NEWS.schema.names if name not in known]
    if missing:
        raise LakeError(
            f"Table '{IDENTITY_NEWS.name}' of the lake lacks {', '.join(missing)}.",
            hint="Write to it what the model identity_news gives, column by column.",
        )
    with duckdb.connect(config={"temp_directory": str(folder / "spill")}) as connection:
        load_delta(connection)
        connection.execute("set preserve_insertion_order = false")
        view_tables(connection, lake)
        update_identity(connection, lake, orders, is_full=is_full)
