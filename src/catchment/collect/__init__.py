"""Bytes become payloads, durably.

In: HTTP requests of trackers and webhooks.
Out: payloads in a log (`tables.PAYLOADS`), each durable before its request is answered with 200.
"""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CookieSettings(BaseModel):
    """The visitor cookie that carries `network_userid`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    name: str = "sp"
    expires_days: int = 365
    path: str = "/"
    domains: list[str] = Field(default=[], description="First entry that is the Origin's host or a parent of it.")
    fallback_domain: str | None = None
    secure: bool = True
    http_only: bool = True
    same_site: Literal["None", "Lax", "Strict"] = "None"

    @model_validator(mode="after")
    def _is_one_that_browsers_keep(self) -> Self:
        if self.same_site == "None" and not self.secure:
            raise ValueError("browsers drop a cookie with same_site None that is not secure; use Lax")
        return self


class CollectSettings(BaseModel):
    """The collector: where it listens, what it accepts and where it keeps payloads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = 8080
    cookie: CookieSettings = CookieSettings()
    max_body_bytes: int = Field(
        default=1_048_576, description="A larger body becomes a failed event, answered with 200."
    )
    preflight_max_age_s: int = 3600
    log: dict[str, Any] = Field(
        default={"type": "spool", "folder": ".catchment/spool"},
        description="Where payloads wait for enrichment: a 'type' and the fields of that plugin.",
    )
