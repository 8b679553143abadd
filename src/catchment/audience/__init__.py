"""Scores and facts become members.

In: people, their related tables and scores in the lake; an audience file.
Out: `audience_members`, one row per stay with entered and left; `audience_runs`.
"""

from pydantic import BaseModel, ConfigDict, Field


class AudienceSettings(BaseModel):
    """Where audiences are defined."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(default="audiences", description="Folder of the project with one file per audience.")
