"""Payloads become events or failures.

In: a table of payloads (`tables.PAYLOADS`).
Out: a table of events with one typed column per entity and self-describing event, and a table of failed events.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class EnrichSettings(BaseModel):
    """Which enrichments run, in which order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enrichments: list[dict[str, Any]] = Field(
        default=[
            {"type": "page_url"},  # first: campaign and referer read the parts of the URLs
            {"type": "campaign"},  # reads the page's query
            {"type": "referer"},  # reads both hosts: one's own is internal
            {"type": "user_agent"},  # needs nothing of the others
        ],
        description="Enrichments in order; each has a 'type' and the fields of that plugin.",
    )
    adapters: dict[str, dict[str, Any]] = Field(
        default={}, description="Settings of adapters by their type; every adapter there is runs, named here or not."
    )
    strict: bool = Field(
        default=False,
        description="Fail an event for which an enrichment raises or that has an over-long text, as Snowplow does; "
        "otherwise it is kept and flagged.",
    )
    batch_payloads: int = Field(default=4_000, description="Payloads taken from the log at once; bounds memory.")
    processes: int = Field(
        default=1,
        ge=1,
        description="Processes that enrich side by side; one commits. Memory grows with each by `batch_payloads`.",
    )
    interval_s: float = Field(default=1.0, description="How often the loop looks for new payloads.")
