"""Where the models stand."""

from catchment.event import TIMESTAMP
from catchment.tables.table import LONG, STRING, Table, columns

MODEL_BUILDS = Table(
    "model_builds",
    "model",
    ("model",),
    "one model that is brought up to date: which `events` and `user_mapping` it stands at, and a mark of SQL, settings",
    columns(
        model=STRING,
        fingerprint=STRING,
        events_version=LONG,
        mapping_version=LONG,
        built_at=TIMESTAMP,
    ),
)
