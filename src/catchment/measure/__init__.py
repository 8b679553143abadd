"""Calls become knowledge: what campaigns cost and what came of them.

In: `sessions`, `conversions`, `ad_spend`, `crm_leads`.
Out: `campaign_performance`.
"""

from pydantic import BaseModel, ConfigDict, Field


class MeasureSettings(BaseModel):
    """What counts as a qualified lead."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    qualified_stages: list[str] = Field(
        default=["sales_qualified", "opportunity", "won"], description="Stages of `crm_leads` that count as qualified."
    )
