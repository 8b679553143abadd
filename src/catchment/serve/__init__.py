"""The same verbs over HTTP, sign-in, and the built console.

In: a `Project`.
Out: `/api/v1` (described by OpenAPI) and the console on the same origin.
"""

from pydantic import BaseModel, ConfigDict, Field


class ServeSettings(BaseModel):
    """Where the console listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8090
    state_url: str = Field(
        default="sqlite:///.catchment/serve.db",
        description="SQL database for sign-in sessions and API tokens; a sqlite path is relative to the project.",
    )
    session_hours: int = 12
