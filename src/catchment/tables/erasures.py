"""Who was forgotten, and where."""

from catchment.event import TIMESTAMP
from catchment.tables.table import LONG, STRING, Table, columns

ERASURES = Table(
    "erasures",
    "lake",
    ("erasure_id", "place"),
    "one place of one erasure: a version of a table, or a file outside the lake. The person stands here only as a "
    "keyed hash; event_ids lets `catchment lake check` account for the events that went",
    columns(
        erasure_id=STRING,
        subject=STRING,
        place=STRING,
        table=STRING,
        version_before=LONG,
        version_after=LONG,
        rows=LONG,
        files_rewritten=LONG,
        event_ids=LONG,
        erased_at=TIMESTAMP,
    ),
)
