"""What data promises: schema keys, registries, validation, and the columns that JSON Schemas become.

In: self-describing JSON, registries of JSON Schemas.
Out: valid or not and why; an Arrow field for each schema and model.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class SchemaSettings(BaseModel):
    """Where schemas are looked up, first match first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    registries: list[dict[str, Any]] = Field(
        default=[{"type": "folder", "path": "schemas"}, {"type": "embedded"}],
        description="Registries in order; each has a 'type' and the fields of that plugin.",
    )
    resolver: str | None = Field(
        default=None,
        description="A resolver.json of Iglu, relative to the project; its repositories are asked after 'registries'.",
    )
    max_json_depth: int = Field(default=40, description="Deeper JSON fails validation instead of being walked.")
    cache_ttl_s: float = Field(default=60.0, description="How long a schema is remembered before it is asked for anew.")
    missing_ttl_s: float = Field(default=60.0, description="How long it is remembered that no registry has a schema.")
    cache_size: int = Field(default=10_000, ge=100, description="Schemas, found or missing, that are remembered.")
