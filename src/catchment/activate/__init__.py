"""Members become calls to other systems, with a receipt for every row.

In: `audience_members` and the columns of people; a sync file; named destinations.
Out: calls to destinations; `sync_runs`, `sync_rows`, `sync_state`.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from catchment.activate.channels import Channel


class ActivateSettings(BaseModel):
    """The destinations by name, and where syncs are defined."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = Field(default="syncs", description="Folder of the project with one file per sync.")
    alerts: dict[str, Channel] = Field(
        default={}, description="Name to channel, each with a 'type': slack (url), webhook (url, headers) or email."
    )
    destinations: dict[str, dict[str, Any]] = Field(
        default={}, description="Name to destination; each has a 'type' and the fields of that plugin."
    )
