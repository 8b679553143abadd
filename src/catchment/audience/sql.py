"""An audience as SQL of another engine, to be reviewed, or run where the lake's tables are known by their names."""

from collections.abc import Mapping
from datetime import datetime

import ibis
import pyarrow as pa

from catchment.audience import AudienceSettings
from catchment.audience.catalog import unbound_catalog
from catchment.audience.compile import compile_audience
from catchment.audience.definition import Audience
from catchment.errors import CatchmentError

DIALECTS = {"duckdb": "duckdb", "spark": "databricks", "databricks": "databricks", "snowflake": "snowflake"}
"""What a person calls an engine, and Ibis's name of its dialect; Spark reads what is written for Databricks."""


def render_sql(
    audience: Audience, schemas: Mapping[str, pa.Schema], settings: AudienceSettings, now: datetime, dialect: str
) -> str:
    """Give the query for the members' keys; raises CatchmentError where the dialect is none of ours."""
    if dialect not in DIALECTS:
        raise CatchmentError(f"There is no dialect '{dialect}'.", hint=f"There are: {', '.join(DIALECTS)}.")
    members = compile_audience(audience, unbound_catalog(schemas, settings), now)
    return f"{ibis.to_sql(members, dialect=DIALECTS[dialect])}\n"
