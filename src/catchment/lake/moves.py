"""Which rows of user_mapping are others than in earlier versions, told by the files that came and went between them."""

from collections.abc import Iterable

import duckdb

from catchment.lake.files import Files
from catchment.lake.lake import Lake

PLAN = "plan.json"
"""Where a build leaves, for the plugins of dbt, what it is to do."""

MAPPING = "user_mapping"
"""It says whose rows are whose, so a change of it touches rows that no new event does."""

COLUMNS = ("domain_userid", "user_id", "person_id")
ROW = ", ".join(f"{name} varchar" for name in COLUMNS)
_NAMES = ", ".join(COLUMNS)
_MOVED = f"""
select {_NAMES}, sum(times) as times
from (select {_NAMES}, 1 as times from went union all select {_NAMES}, -1 from came) as rows
group by {_NAMES}
having sum(times) <> 0
"""


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
        went = then.read([file for file in then.all if file.path not in now.paths], COLUMNS)
        came = now.read([file for file in now.all if file.path not in then.paths], COLUMNS)
        conn.register("went", went)
        conn.register("came", came)
        conn.execute(f"create or replace temp table moved as {_MOVED}")
        conn.execute("insert into moved_cookies select domain_userid from moved")
        conn.execute("insert into former_mapping select * exclude (times) from moved where times > 0")
        conn.unregister("went")
        conn.unregister("came")


def _files_of(lake: Lake, version: int | None) -> Files:
    return Files(lake.delta(MAPPING, version), lake.folder(MAPPING))
