"""Features become scores.

In: `events`, `user_mapping`, `conversions` and tables of the user in the lake; a prediction file.
Out: a registered MLflow model with the alias `champion`; `propensity_scores`, `scores` and how they came true.
"""

from pydantic import BaseModel, ConfigDict, Field


class PredictSettings(BaseModel):
    """Where models are tracked and how much of the machine training may take."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tracking_uri: str = Field(
        default="sqlite:///.catchment/mlflow.db",
        description="MLflow tracking store; a sqlite path is relative to the project.",
    )
    folder: str = Field(default="predictions", description="Folder of the project with one file per prediction.")
    history_hours: float = Field(
        default=24,
        ge=0,
        description="What was loaded so soon after a lake's first event is its history: it counts as arrived when it "
        "happened.",
    )
    threads: int = Field(default=2, gt=0, description="Threads that training may use.")
