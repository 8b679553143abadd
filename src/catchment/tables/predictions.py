"""What predictions say of people, and how it came true."""

import pyarrow as pa

from catchment.event import TIMESTAMP
from catchment.tables.table import DOUBLE, INT, LONG, STRING, Table, columns

_SCORE = columns(
    prediction=STRING,
    person_id=STRING,
    model_name=STRING,
    model_version=STRING,
    scored_at=TIMESTAMP,
    observed_at=TIMESTAMP,
    score=DOUBLE,
    decile=INT,
    label=STRING,
    reasons=pa.list_(STRING),
)

PROPENSITY_SCORES = Table(
    "propensity_scores",
    "predict",
    ("prediction", "person_id"),
    "the latest score of one person by one prediction; decile 10 is the highest",
    _SCORE,
)

SCORES = Table(
    "scores",
    "predict",
    ("prediction", "person_id", "scored_at"),
    "every score that ever stood, from scored_at on; only ever appended",
    _SCORE,
)

PREDICTION_DRIFT = Table(
    "prediction_drift",
    "predict",
    (),
    "one check of one feature, or of the (score): how far people have moved from those the model learned from",
    columns(
        prediction=STRING,
        model_version=STRING,
        checked_at=TIMESTAMP,
        feature=STRING,
        stability_index=DOUBLE,
        people=LONG,
        verdict=STRING,
    ),
)

PREDICTION_OUTCOMES = Table(
    "prediction_outcomes",
    "predict",
    ("prediction", "model_version", "observed_week"),
    "one week of looks whose horizon has passed: what was predicted of them beside what came",
    columns(
        prediction=STRING,
        model_version=STRING,
        observed_week=TIMESTAMP,
        judged_at=TIMESTAMP,
        people=LONG,
        predicted=DOUBLE,
        observed=DOUBLE,
        calibration_error=DOUBLE,
        roc_auc=DOUBLE,
        average_precision=DOUBLE,
        verdict=STRING,
    ),
)
