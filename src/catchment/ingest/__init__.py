"""Other people's tables become ours: ad spend, CRM leads, files.

In: sources outside the lake.
Out: tables of the lake that `ingest` owns, merged by their key.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class IngestSettings(BaseModel):
    """The sources, by the name of the lake table that each fills."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sources: dict[str, dict[str, Any]] = Field(
        default={}, description="Table name to source; each has a 'type' and the fields of that plugin."
    )
