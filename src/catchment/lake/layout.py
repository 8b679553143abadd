"""How tables lie in files: partitions, order and statistics, chosen so that little is read and a person can be erased.

Delta writes the least and the greatest value of a column into its log, where they outlive the rows. So statistics are
kept of the columns that a table declares, otherwise of timestamps alone: never of a text that may tell who somebody is.
"""

from typing import Any, NamedTuple
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import ColumnProperties, WriterProperties

from catchment.tables import (
    CLUSTER_KEY,
    COLLECTOR_DATE,
    EVENTS,
    FAILED_EVENTS,
    PROPENSITY_SCORES,
    SCORES,
    SYNC_STATE,
    TABLES,
)

BUCKETS = 64
"""Visitors are spread over so many: of a day of many files, one visitor's deletion rewrites about as small a part."""

CHECKPOINT_COMMITS = 50
"""A reader reads at most so many commits behind a checkpoint."""

EVENTS_TOGETHER = 25_000
"""Events in one part of a file: they stand by name, so a question about one name reads few parts and not the day."""

STATE_TOGETHER = 50_000
"""Rows of a sync's state in one part of a file, which a writer holds whole."""

SCORES_TOGETHER = 100_000
"""Scores in one part of a file, likewise."""

_VISITOR = ("domain_userid", "network_userid", "user_id", "user_ipaddress")


def partition_of(table: str, schema: pa.Schema) -> list[str] | None:
    """Name the columns that a table is partitioned by, of those that its rows have; None for none."""
    declared = TABLES[table].partition if table in TABLES else ()
    return [name for name in declared if name in schema.names] or None


def properties_of(table: str, schema: pa.Schema, retention_hours: int) -> dict[str, str]:
    """Give the Delta properties of a table that is about to be made."""
    declared = TABLES[table].statistics if table in TABLES else ()
    columns = declared or tuple(field.name for field in schema if pa.types.is_timestamp(field.type))
    known = [name for name in columns if name in schema.names]
    statistics = {"delta.dataSkippingStatsColumns": ",".join(known)} if known else {}
    small = TABLES[table].rewritten if table in TABLES else None
    return {
        **(statistics or {"delta.dataSkippingNumIndexedCols": "0"}),
        **({} if small is None else {"delta.targetFileSize": str(small.file_bytes)}),
        "delta.checkpointInterval": str(CHECKPOINT_COMMITS),
        "delta.logRetentionDuration": f"interval {retention_hours} hours",
        "delta.deletedFileRetentionDuration": f"interval {retention_hours} hours",
    }


def parts_of(table: str, at_most: int | None = None) -> WriterProperties | None:
    """Say how rows are packed in the files of a table, and how many stand together; None for as the writer likes."""
    small = TABLES[table].rewritten if table in TABLES else None
    if small is not None:
        return WriterProperties(
            compression="UNCOMPRESSED",
            default_column_properties=ColumnProperties(dictionary_enabled=False),
            column_properties={name: ColumnProperties(dictionary_enabled=True) for name in _few_values(table)},
        )
    together = _together().get(table, at_most)
    if together is None:
        return None
    return WriterProperties(compression="SNAPPY", max_row_group_size=min(together, at_most or together))


def _together() -> dict[str, int]:
    scores = dict.fromkeys((PROPENSITY_SCORES.name, SCORES.name), SCORES_TOGETHER)
    return {EVENTS.name: EVENTS_TOGETHER, SYNC_STATE.name: STATE_TOGETHER, **scores}


class Packing(NamedTuple):
    """How pyarrow packs rows in the files of a table of models.

    A dictionary is kept of all columns but ids, which differ from row to row, or of those that are named. Nothing is
    compressed beside: in files of few thousand rows that saves a fiftieth, and costs half as much again to write. Least
    and greatest are told of moments alone. A file holds `file_rows`, or a share of its part, but no less than
    `few_rows`. Where it is not `is_whole`, it has no columns that none of its rows tells.
    """

    dictionaries: list[str] | None = None
    file_rows: int | None = None
    few_rows: int | None = None
    is_whole: bool = False

    def of(self, schema: pa.Schema) -> dict[str, Any]:
        """Say so to pyarrow, of a file with these columns."""
        coded = [name for name in schema.names if not name.endswith("id")]
        moments = [field.name for field in schema if pa.types.is_temporal(field.type)]
        known = coded if self.dictionaries is None else [name for name in self.dictionaries if name in schema.names]
        return {"compression": "none", "use_dictionary": known, "write_statistics": moments}


USUAL = Packing()


def packing_of(table: str) -> Packing:
    """Say how a merge packs the files of a table."""
    small = TABLES[table].rewritten if table in TABLES else None
    return USUAL if small is None else Packing(_few_values(table), small.file_rows, is_whole=True)


def _few_values(table: str) -> list[str]:
    declared = TABLES[table]
    few = declared.rewritten.few_values if declared.rewritten is not None else ()
    return [name for name in few if name in declared.schema.names]


def lay_out(table: str, rows: pa.Table) -> pa.Table:
    """Give the rows their partition, and the order in which they are found again with little reading."""
    if table not in (EVENTS.name, FAILED_EVENTS.name):
        return rows
    rows = _set(rows, COLLECTOR_DATE, pc.cast(rows["collector_tstamp"], pa.date32()))
    if table == FAILED_EVENTS.name:
        return rows
    rows = _set(rows, CLUSTER_KEY, _cluster_keys(rows))
    order = pc.sort_indices(rows, [(CLUSTER_KEY, "ascending"), ("collector_tstamp", "ascending")])
    return rows.take(order) if rows.num_rows > 1 else rows


def _cluster_keys(rows: pa.Table) -> pa.ChunkedArray:
    """Join event name and bucket; a visitor is in the same bucket for ever, whatever the event."""
    visitors = pc.coalesce(*(rows[name] for name in _VISITOR), pa.scalar("", pa.string())).combine_chunks()
    coded = visitors.dictionary_encode()
    buckets = [f"{crc32(visitor.encode()) % BUCKETS:02}" for visitor in coded.dictionary.to_pylist()]
    names = pc.coalesce(rows["event_name"], pa.scalar("", pa.string()))
    return pc.binary_join_element_wise(names, pa.array(buckets, pa.string()).take(coded.indices), " ")


def _set(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    if name not in rows.column_names:
        return rows.append_column(name, values)
    return rows.set_column(rows.column_names.index(name), name, values)
