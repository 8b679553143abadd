"""Which rows of user_mapping are others than in earlier versions, told by the files that came and went between them."""

from collections.abc import Iterable

import duckdb

from catchment.lake.files import File, Files
from catchment.lake.lake import Lake

PLAN = "plan.json"
"""Where a build leaves, for the plugins of dbt, what it is to do."""

MAPPING = "user_mapping"
"""It says whose rows are whose, so a change of it touches rows that no new event does."""

COLUMNS = ("domain_userid", "user_id", "person_id")
ROW = ", ".join(f"{name} varchar" for name in COLUMNS)


def show_moves(conn: duckdb.DuckDBPyConnection, lake: Lake, versions: Iterable[int]) -> None:
    """Show the cookies whose row is another in one of these versions, or not there, and what rows they had.

    A row that stands in a file that went and in one that came has not changed. Rows of other files have not either, so
    they are not read.
    """
    conn.execute("create or replace table moved_cookies (domain_userid varchar)")
    conn.execute(f"create or replace table former_mapping ({ROW})")
    versions = tuple(versions)
    if not versions:
        return
    now = _files_of(lake, None)
    for version in versions:
        then = _files_of(lake, version)
        _show(conn, "rows_that_went", then, [file for file in then.all if file.path not in now.paths])
        _show(conn, "rows_that_came", now, [file for file in now.all if file.path not in then.paths])
        conn.execute("insert into former_mapping select * from rows_that_went except select * from former_mapping")
        for one, other in (("went", "came"), ("came", "went")):
            moved = f"select * from rows_that_{one} except select * from rows_that_{other}"
            conn.execute(f"insert into moved_cookies select domain_userid from ({moved})")


def _files_of(lake: Lake, version: int | None) -> Files:
    return Files(lake.delta(MAPPING, version), None if "://" in lake.uri else lake.path(MAPPING))


def _show(conn: duckdb.DuckDBPyConnection, name: str, files: Files, chosen: list[File]) -> None:
    conn.register("moved", files.read(chosen, COLUMNS).select(COLUMNS))
    conn.execute(f"create or replace temp table {name} as select * from moved")
    conn.unregister("moved")
