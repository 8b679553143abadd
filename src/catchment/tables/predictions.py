"""What predictions say of people."""

from catchment.event import TIMESTAMP
from catchment.tables.table import DOUBLE, INT, STRING, Table, columns

PROPENSITY_SCORES = Table(
    "propensity_scores",
    "predict",
    ("prediction", "person_id"),
    "the latest score of one person by one prediction; decile 10 is the highest",
    columns(
        prediction=STRING,
        person_id=STRING,
        model_name=STRING,
        model_version=STRING,
        scored_at=TIMESTAMP,
        score=DOUBLE,
        decile=INT,
        label=STRING,
    ),
)
