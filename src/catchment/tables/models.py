"""Where the models stand."""

from catchment.event import TIMESTAMP
from catchment.tables.table import LONG, STRING, Table, columns

MODEL_BUILDS = Table(
    "model_builds",
    "model",
    ("model",),
    "one model that is brought up to date: which `events`, `user_mapping`, identity it stands at; a mark of its SQL",
    columns(
        model=STRING,
        fingerprint=STRING,
        events_version=LONG,
        mapping_version=LONG,
        identity_version=LONG,
        built_at=TIMESTAMP,
    ),
)
