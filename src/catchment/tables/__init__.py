"""Every table that stages share: name, Arrow schema, key and owner.

The owner is the one stage that writes the table; anybody may read it. Timestamps are UTC. `PAYLOADS` is not in the
lake: it is what a log hands to enrichment.
"""

from catchment.tables.audiences import AUDIENCE_MEMBERS, AUDIENCE_RUNS
from catchment.tables.campaigns import AD_SPEND, CAMPAIGN_PERFORMANCE, CRM_LEADS
from catchment.tables.erasures import ERASURES
from catchment.tables.events import (
    BATCHES,
    CLUSTER_KEY,
    COLLECTOR_DATE,
    EVENTS,
    FAILED_EVENTS,
    OFFSET,
    PAYLOADS,
    REPLAYS,
    RUNS,
)
from catchment.tables.identity import (
    IDENTITY_CHANGES,
    IDENTITY_CONFLICTS,
    IDENTITY_EDGES,
    IDENTITY_HISTORY,
    IDENTITY_IDENTIFIERS,
    IDENTITY_LINKS,
    IDENTITY_MERGES,
    IDENTITY_NEWS,
)
from catchment.tables.models import MODEL_BUILDS
from catchment.tables.predictions import PREDICTION_DRIFT, PREDICTION_OUTCOMES, PROPENSITY_SCORES, SCORES
from catchment.tables.syncs import SYNC_ALERTS, SYNC_PLANS, SYNC_ROWS, SYNC_RUNS, SYNC_STATE
from catchment.tables.table import Table

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        EVENTS,
        FAILED_EVENTS,
        BATCHES,
        REPLAYS,
        RUNS,
        MODEL_BUILDS,
        IDENTITY_EDGES,
        IDENTITY_IDENTIFIERS,
        IDENTITY_LINKS,
        IDENTITY_HISTORY,
        IDENTITY_MERGES,
        IDENTITY_CONFLICTS,
        IDENTITY_CHANGES,
        IDENTITY_NEWS,
        ERASURES,
        PROPENSITY_SCORES,
        SCORES,
        PREDICTION_DRIFT,
        PREDICTION_OUTCOMES,
        AUDIENCE_MEMBERS,
        AUDIENCE_RUNS,
        SYNC_RUNS,
        SYNC_ROWS,
        SYNC_STATE,
        SYNC_PLANS,
        SYNC_ALERTS,
        AD_SPEND,
        CRM_LEADS,
        CAMPAIGN_PERFORMANCE,
    )
}
"""The tables whose schema is declared here. The models (`page_views`, `sessions`, ...) are declared by dbt."""

__all__ = [
    "AD_SPEND",
    "AUDIENCE_MEMBERS",
    "AUDIENCE_RUNS",
    "BATCHES",
    "CAMPAIGN_PERFORMANCE",
    "CLUSTER_KEY",
    "COLLECTOR_DATE",
    "CRM_LEADS",
    "ERASURES",
    "EVENTS",
    "FAILED_EVENTS",
    "IDENTITY_CHANGES",
    "IDENTITY_CONFLICTS",
    "IDENTITY_EDGES",
    "IDENTITY_HISTORY",
    "IDENTITY_IDENTIFIERS",
    "IDENTITY_LINKS",
    "IDENTITY_MERGES",
    "IDENTITY_NEWS",
    "MODEL_BUILDS",
    "OFFSET",
    "PAYLOADS",
    "PREDICTION_DRIFT",
    "PREDICTION_OUTCOMES",
    "PROPENSITY_SCORES",
    "REPLAYS",
    "RUNS",
    "SCORES",
    "SYNC_ALERTS",
    "SYNC_PLANS",
    "SYNC_ROWS",
    "SYNC_RUNS",
    "SYNC_STATE",
    "TABLES",
    "Table",
]
