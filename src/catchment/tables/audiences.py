"""Who is in which audience, and since when."""

from catchment.event import TIMESTAMP
from catchment.tables.table import LONG, STRING, Table, columns

AUDIENCE_MEMBERS = Table(
    "audience_members",
    "audience",
    ("audience", "person_id", "entered_at"),
    "one stay of one person in one audience; left_at is null while it lasts",
    columns(
        audience=STRING,
        person_id=STRING,
        arm=STRING,
        entered_at=TIMESTAMP,
        left_at=TIMESTAMP,
    ),
)

AUDIENCE_RUNS = Table(
    "audience_runs",
    "audience",
    ("audience", "refreshed_at"),
    "one refresh of one audience",
    columns(
        audience=STRING,
        refreshed_at=TIMESTAMP,
        definition=STRING,
        size=LONG,
        entered=LONG,
        left=LONG,
    ),
)
