"""Scores and facts become members.

In: people, their related tables, events and scores in the lake; an audience file.
Out: `audience_members`, one row per stay with entered, left and arm; `audience_runs`.
"""

from pydantic import BaseModel, ConfigDict, Field

from catchment.audience.relations import EventSource, Parent, Relation, Suppression


class AudienceSettings(BaseModel):
    """Where audiences are defined, what they may be drawn from, and who is held back from destinations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(default="audiences", description="Folder of the project with one file per audience.")
    parents: dict[str, Parent] = Field(
        default={"people": Parent()}, description="Tables that audiences are drawn from, by name."
    )
    related: dict[str, Relation] = Field(
        default={},
        description="Relations by name. A table that is not named here but has the parent's key is related by it.",
    )
    events: dict[str, EventSource] = Field(
        default={"people": EventSource()}, description="Parent to the table of its events."
    )
    priorities: dict[str, list[str]] = Field(
        default={}, description="Lists of audiences, the first the dearest: a person is in at most one of a list."
    )
    suppression: Suppression = Suppression()
    shown: list[str] = Field(
        default=[],
        description="Columns of which previews show the value; all others but the key read as •••. Empty: none.",
    )
