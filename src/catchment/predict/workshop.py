"""Where training, scoring and watching happen."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from catchment.errors import ModelError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.predict import PredictSettings
from catchment.predict.definition import Prediction
from catchment.predict.tracking import Model, open_tracking


class Workshop(NamedTuple):
    """The open lake, the settings, the project's folder, the clock."""

    session: Session
    lake: Lake
    settings: PredictSettings
    folder: Path
    now: datetime


def open_champion(prediction: Prediction, settings: PredictSettings, folder: Path) -> Model:
    """Load the model that speaks: the champion, or the one that somebody else made; raises ModelError."""
    with open_tracking(settings, folder) as tracking:
        if prediction.model is not None:
            return tracking.foreign(prediction.name, prediction.model.uri, prediction.model.registry)
        champion = tracking.champion(prediction.name)
    if champion is None:
        raise ModelError(
            f"{prediction.file}: '{prediction.name}' has no champion yet.", hint=f"catchment train {prediction.name}"
        )
    return champion
