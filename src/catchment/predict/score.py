"""Give everybody who has not converted a score by the champion, a decile among the others, and a label."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catchment.errors import ModelError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction
from catchment.predict.people import PERSON, feature_frame, stream_people
from catchment.predict.tracking import Model, open_tracking
from catchment.tables import PROPENSITY_SCORES

Scores = npt.NDArray[np.float64]

DECILES = 10
HIGH, MEDIUM = 9, 6
"""The lowest decile that is High, and that is Medium: the best fifth, and the three tenths after it."""


@dataclass(frozen=True)
class ScoreReport:
    """What a scoring came to; `changed` are the scores that differ from those that stood."""

    prediction: str
    model_version: str
    scored: int
    changed: int
    labels: dict[str, int]


def score(
    prediction: Prediction, session: Session, lake: Lake, settings: PredictSettings, folder: Path, now: datetime
) -> ScoreReport:
    """Score everybody with the champion and write what changed, so that scoring twice changes nothing.

    Raises ModelError where no model was trained yet.
    """
    with open_tracking(settings, folder) as tracking:
        champion = tracking.champion(prediction.name)
    if champion is None:
        raise ModelError(
            f"{prediction.file}: '{prediction.name}' has no champion yet.", hint=f"catchment train {prediction.name}"
        )
    people, scores = _score_people(prediction, champion, session)
    deciles = rank_deciles(people, scores)
    rows = _rows(champion, people, scores, deciles, now)
    changed = _changed(rows, lake)
    if changed.num_rows or not lake.exists(PROPENSITY_SCORES.name):
        lake.merge(PROPENSITY_SCORES.name, changed)
    counts = pc.value_counts(rows["label"]).to_pylist()
    labels = {count["values"]: count["counts"] for count in counts}
    return ScoreReport(prediction.name, champion.version, rows.num_rows, changed.num_rows, labels)


def rank_deciles(people: pa.Array, scores: Scores) -> pa.Array:
    """Give the tenth that each score is in, 10 the highest, all of a size; equal scores are parted by person_id."""
    order = pc.sort_indices(
        pa.table({"score": scores, PERSON: people}), sort_keys=[("score", "ascending"), (PERSON, "ascending")]
    ).to_numpy()
    count = len(scores)
    deciles = np.empty(count, dtype=np.int32)
    deciles[order] = np.arange(count) * DECILES // max(count, 1) + 1
    return pa.array(deciles)


def label_deciles(deciles: pa.Array) -> pa.Array:
    """Say High, Medium or Low."""
    lower = pc.if_else(pc.greater_equal(deciles, MEDIUM), "Medium", "Low")
    return pc.if_else(pc.greater_equal(deciles, HIGH), "High", lower)


def _score_people(prediction: Prediction, champion: Model, session: Session) -> tuple[pa.Array, Scores]:
    people: list[pa.Array] = []
    scores = []
    for part in stream_people(prediction, session):
        missing = sorted(set(champion.features.names) - set(part.column_names))
        if missing:
            raise ModelError(
                f"{prediction.file}: the champion, version {champion.version}, reads '{missing[0]}', which the table "
                f"'{prediction.table}' no longer has.",
                hint=f"catchment train {prediction.name}",
            )
        if part.num_rows:
            people.append(part[PERSON].cast(pa.string()).combine_chunks())
            scores.append(champion.score(feature_frame(part, champion.features)))
    if not people:
        return pa.array([], pa.string()), np.empty(0)
    return pa.concat_arrays(people), np.concatenate(scores)


def _rows(
    champion: Model,
    people: pa.Array,
    scores: Scores,
    deciles: pa.Array,
    now: datetime,
) -> pa.Table:
    schema = PROPENSITY_SCORES.schema
    same = {
        "prediction": champion.name,
        "model_name": champion.name,
        "model_version": champion.version,
        "scored_at": now,
    }
    columns = {name: pa.repeat(pa.scalar(value, schema.field(name).type), len(people)) for name, value in same.items()}
    columns |= {PERSON: people, "score": pa.array(scores), "decile": deciles, "label": label_deciles(deciles)}
    return pa.table([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


def _changed(rows: pa.Table, lake: Lake) -> pa.Table:
    """Keep the rows that say something else than the lake does."""
    says = [name for name in PROPENSITY_SCORES.schema.names if name != "scored_at"]
    if rows.num_rows == 0 or not lake.exists(PROPENSITY_SCORES.name):
        return rows
    standing = lake.read(
        PROPENSITY_SCORES.name, columns=says, filters=[("prediction", "=", rows["prediction"][0].as_py())]
    )
    return rows.join(
        standing.cast(pa.schema([PROPENSITY_SCORES.schema.field(name) for name in says])), says, join_type="left anti"
    )
