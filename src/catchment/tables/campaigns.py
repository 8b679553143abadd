"""Other people's tables, and what campaigns brought."""

import pyarrow as pa

from catchment.event import TIMESTAMP
from catchment.tables.table import DOUBLE, LONG, STRING, Table, columns

AD_SPEND = Table(
    "ad_spend",
    "ingest",
    ("date", "platform", "campaign"),
    "one day of one campaign on one advertising platform",
    columns(
        date=pa.date32(),
        platform=STRING,
        campaign=STRING,
        impressions=LONG,
        clicks=LONG,
        spend=DOUBLE,
        currency=STRING,
        ingested_at=TIMESTAMP,
    ),
)

CRM_LEADS = Table(
    "crm_leads",
    "ingest",
    ("lead_id",),
    "one lead of the CRM at its latest stage",
    columns(
        lead_id=STRING,
        user_id=STRING,
        email=STRING,
        stage=STRING,
        stage_tstamp=TIMESTAMP,
        amount=DOUBLE,
        currency=STRING,
        ingested_at=TIMESTAMP,
    ),
)

CAMPAIGN_PERFORMANCE = Table(
    "campaign_performance",
    "measure",
    ("platform", "campaign"),
    "one campaign over all time: what it cost and what came of it",
    columns(
        platform=STRING,
        campaign=STRING,
        spend=DOUBLE,
        currency=STRING,
        clicks=LONG,
        visitors=LONG,
        conversions=LONG,
        qualified_leads=LONG,
        pipeline_amount=DOUBLE,
        cost_per_conversion=DOUBLE,
        cost_per_qualified_lead=DOUBLE,
        measured_at=TIMESTAMP,
    ),
)
