"""Local stand-ins for destination APIs, as strict as the vendors' documented contracts.

In: HTTP requests that the real vendor would accept or refuse.
Out: the vendor's documented answers; what is held can be read back by tests.
"""

from pydantic import BaseModel, ConfigDict, Field


class SandboxSettings(BaseModel):
    """Whether this project talks to the sandbox, and where it listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = Field(default=False, description="Start the sandbox with `up`, `run` and `demo`.")
    host: str = "127.0.0.1"
    port: int = 8091
    state: str = Field(default=".catchment/sandbox.db", description="SQLite file, so that a restart forgets nothing.")
