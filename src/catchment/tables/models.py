"""Where the models stand."""

from catchment.event import TIMESTAMP
from catchment.tables.table import LONG, STRING, Table, columns

MODEL_BUILDS = Table(
    "model_builds",
    "model",
    ("model",),
    "one model that is brought up to date: the version of `events` it stands at, and a mark of the SQL and settings",
    columns(
        model=STRING,
        fingerprint=STRING,
        events_version=LONG,
        built_at=TIMESTAMP,
    ),
)
