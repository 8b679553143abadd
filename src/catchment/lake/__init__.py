"""The only state: Delta tables under one URI, written by delta-rs and read by an engine.

In: Arrow tables and their names.
Out: Delta tables, each batch of the log in them exactly once; record batches for queries.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class UpkeepSettings(BaseModel):
    """How the lake is kept quick and small."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_minutes: float = Field(default=15, gt=0, description="How often `catchment up` and `catchment run` do it.")
    retention_hours: int = Field(
        default=24, ge=1, description="How long a replaced file stays for who still reads it; also for time travel."
    )
    target_file_mb: int = Field(default=128, ge=1, description="Small files are joined up to this size.")
    min_small_files: int = Field(default=16, ge=2, description="Fewer small files than this are left as they are.")


class LakeSettings(BaseModel):
    """Where the lake is and what queries it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str = Field(default="lake", description="A folder (relative to the project), s3://, abfss:// or gs://.")
    storage_options: dict[str, str] = Field(default={}, description="Handed to delta-rs as they are.")
    engine: dict[str, Any] = Field(
        default={"type": "duckdb", "memory_limit": "2GB", "threads": 2},
        description="The query engine: a 'type' and the fields of that plugin.",
    )
    upkeep: UpkeepSettings = UpkeepSettings()
