"""Score people whose features somebody sends: the same model, label and reasons as in the lake."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas

from catchment.errors import DefinitionError
from catchment.lake.lake import Lake
from catchment.predict.definition import Prediction, near
from catchment.predict.rank import DECILES, label_people
from catchment.predict.score import score_frame
from catchment.predict.tracking import Model
from catchment.tables import PROPENSITY_SCORES


def score_records(
    prediction: Prediction, champion: Model, records: Sequence[Mapping[str, Any]], lake: Lake, folder: Path
) -> list[dict[str, Any]]:
    """Give score, decile, label and reasons of each record; a feature that a record lacks is empty.

    The decile is the one that the score would have among those that stand in the lake. Raises DefinitionError for
    what is no feature, or no number where one is read.
    """
    frame = _frame(prediction, champion, records)
    scores, reasons = score_frame(champion, folder, frame)
    deciles = _deciles(prediction, scores, lake)
    labels = label_people(prediction.labels, deciles, scores).to_pylist()
    return [
        {
            "score": float(score),
            "decile": int(decile),
            "label": label,
            "reasons": why,
            "model_version": champion.version,
        }
        for score, decile, label, why in zip(scores, deciles, labels, reasons.to_pylist(), strict=True)
    ]


def _frame(prediction: Prediction, champion: Model, records: Sequence[Mapping[str, Any]]) -> Any:
    features = champion.features
    for place, record in enumerate(records):
        unknown = next((name for name in record if name not in features.names), None)
        if unknown is not None:
            raise DefinitionError(
                f"records[{place}].{unknown}: the model '{prediction.name}', version {champion.version}, reads no "
                f"'{unknown}'.",
                hint=near(unknown, features.names),
            )
        for name in features.numbers:
            if not isinstance(record.get(name), int | float | None):
                raise DefinitionError(
                    f"records[{place}].{name}: '{record[name]}' is no number.", hint=f'Send for example "{name}": 3.'
                )
    columns = {name: [record.get(name) for record in records] for name in features.names}
    numbers = {name: pandas.array(columns[name], dtype="float64") for name in features.numbers}
    texts = {
        name: pandas.array([None if value is None else str(value) for value in columns[name]], dtype="str")
        for name in features.categories
    }
    return pandas.DataFrame(numbers | texts)[features.names]


def _deciles(prediction: Prediction, scores: Any, lake: Lake) -> Any:
    """Find the decile of each score among the standing ones; the middle where nobody has one yet."""
    standing = lake.read(PROPENSITY_SCORES.name, columns=["score"], filters=[("prediction", "=", prediction.name)])[
        "score"
    ].to_numpy()
    if not len(standing):
        return np.full(len(scores), DECILES // 2)
    below = np.searchsorted(np.sort(standing), scores, side="left") / len(standing)
    return np.minimum((below * DECILES).astype(int) + 1, DECILES)
