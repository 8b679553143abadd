"""Calls become knowledge: what campaigns cost and what came of them.

In: `people`, `sessions`, `conversions`, `ad_spend`, `crm_leads`.
Out: `campaign_performance`.
"""

from pydantic import BaseModel, ConfigDict, Field


class MeasureSettings(BaseModel):
    """What counts as a qualified lead, and under which names platforms send visitors."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    qualified_stages: list[str] = Field(
        default=["sales_qualified", "opportunity", "won"], description="Stages of `crm_leads` that count as qualified."
    )
    platform_sources: dict[str, list[str]] = Field(
        default={
            "google": ["google", "googleads", "adwords"],
            "meta": ["meta", "facebook", "fb", "instagram", "ig"],
            "linkedin": ["linkedin", "li"],
        },
        description="Platform of `ad_spend` to the values of utm_source (`mkt_source`) that its visitors come with; "
        "any other platform is its own utm_source.",
    )
