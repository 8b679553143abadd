"""A source is merged into its table of the lake, as often as you like."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from catchment.errors import SettingsError
from catchment.event import TIMESTAMP
from catchment.ingest.fit import INGESTED_AT, fit_part
from catchment.ingest.source import Source
from catchment.lake.lake import Lake
from catchment.tables import TABLES, Table


def load_source(table: str, source: Source, lake: Lake, folder: Path, now: datetime) -> int:
    """Merge what the source holds by the table's key; give the number of rows that were new or different.

    Either all of the source is merged, in one commit, or nothing. Rows that the lake holds already are left alone,
    so their `ingested_at` says when they last changed.
    """
    target = _find_table(table)
    parts = [fit_part(part, target, source.columns) for part in source.read(folder)]
    if not parts:
        return 0
    changed = _changed_rows(pa.concat_tables(parts), lake.read(table), target)
    if changed.num_rows == 0:
        return 0
    rows = changed.append_column(INGESTED_AT, pa.array([now] * changed.num_rows, TIMESTAMP))
    lake.merge(table, rows.cast(target.schema), target.key)
    return int(changed.num_rows)


def _find_table(name: str) -> Table:
    ours = [table.name for table in TABLES.values() if table.owner == "ingest"]
    if name not in ours:
        raise SettingsError(
            f"ingest.sources.{name} fills no table that there is.", hint=f"Tables to fill are: {', '.join(ours)}."
        )
    return TABLES[name]


def _changed_rows(rows: pa.Table, held: pa.Table, table: Table) -> pa.Table:
    arrived = pl.DataFrame(rows).unique(subset=list(table.key), keep="last", maintain_order=True)
    known = pl.DataFrame(held.select(rows.column_names).cast(rows.schema))
    changed = arrived.join(known, on=rows.column_names, how="anti", nulls_equal=True)
    return changed.to_arrow().cast(rows.schema)
