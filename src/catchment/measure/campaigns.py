"""What each campaign cost, and how many visitors, conversions and qualified leads it brought."""

from datetime import datetime

import pyarrow as pa

from catchment.event import TIMESTAMP
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.measure import MeasureSettings
from catchment.tables import CAMPAIGN_PERFORMANCE

READS = {
    "ad_spend": {
        "platform": "string",
        "campaign": "string",
        "spend": "double",
        "currency": "string",
        "clicks": "bigint",
    },
    "crm_leads": {
        "lead_id": "string",
        "user_id": "string",
        "email": "string",
        "stage": "string",
        "amount": "double",
        "currency": "string",
    },
    "sessions": {"person_id": "string", "mkt_source": "string", "mkt_campaign": "string"},
    "conversions": {"person_id": "string"},
    "people": {
        "person_id": "string",
        "user_id": "string",
        "email": "string",
        "mkt_source": "string",
        "mkt_campaign": "string",
    },
}
"""The tables and columns that the query needs, with types that DuckDB and Spark both know."""

# Visitors are all who ever came from the campaign; what they did later is credited to the campaign that first brought
# them, once. Amounts in several currencies are not added: they are null.
QUERY = """
costs as (
    select
        lower(platform) as platform,
        lower(campaign) as campaign_key,
        min(campaign) as campaign,
        case when count(distinct currency) <= 1 then sum(spend) end as spend,
        case when count(distinct currency) = 1 then min(currency) end as currency,
        sum(clicks) as clicks
    from ad_spend_read
    group by lower(platform), lower(campaign)
),
arrivals as (
    select
        {session_platform} as platform,
        lower(mkt_campaign) as campaign_key,
        count(distinct person_id) as visitors
    from sessions_read
    where mkt_campaign is not null
    group by {session_platform}, lower(mkt_campaign)
),
first_touches as (
    select
        person_id,
        {person_platform} as platform,
        lower(mkt_campaign) as campaign_key
    from people_read
    where mkt_campaign is not null
),
credited_conversions as (
    select platform, campaign_key, count(*) as conversions
    from conversions_read
    inner join first_touches on conversions_read.person_id = first_touches.person_id
    group by platform, campaign_key
),
people_by_user as (
    select user_id, min(person_id) as person_id
    from people_read
    where user_id is not null
    group by user_id
),
people_by_email as (
    select lower(email) as email, min(person_id) as person_id
    from people_read
    where email is not null
    group by lower(email)
),
qualified as (
    select
        crm_leads_read.lead_id,
        crm_leads_read.amount,
        crm_leads_read.currency,
        coalesce(people_by_user.person_id, people_by_email.person_id) as person_id
    from crm_leads_read
    left join people_by_user on crm_leads_read.user_id = people_by_user.user_id
    left join people_by_email on lower(crm_leads_read.email) = people_by_email.email
    where {is_qualified}
),
credited_leads as (
    select
        platform,
        campaign_key,
        count(distinct lead_id) as qualified_leads,
        case when count(distinct currency) <= 1 then coalesce(sum(amount), 0) end as pipeline_amount
    from qualified
    inner join first_touches on qualified.person_id = first_touches.person_id
    group by platform, campaign_key
)
select
    costs.platform,
    costs.campaign,
    costs.spend,
    costs.currency,
    costs.clicks,
    coalesce(arrivals.visitors, 0) as visitors,
    coalesce(credited_conversions.conversions, 0) as conversions,
    coalesce(credited_leads.qualified_leads, 0) as qualified_leads,
    case when credited_leads.platform is null then 0 else credited_leads.pipeline_amount end as pipeline_amount,
    costs.spend / nullif(credited_conversions.conversions, 0) as cost_per_conversion,
    costs.spend / nullif(credited_leads.qualified_leads, 0) as cost_per_qualified_lead
from costs
left join arrivals
    on costs.platform = arrivals.platform and costs.campaign_key = arrivals.campaign_key
left join credited_conversions
    on costs.platform = credited_conversions.platform and costs.campaign_key = credited_conversions.campaign_key
left join credited_leads
    on costs.platform = credited_leads.platform and costs.campaign_key = credited_leads.campaign_key
order by costs.platform, costs.campaign
"""


def measure(session: Session, lake: Lake, settings: MeasureSettings, now: datetime) -> pa.Table:
    """Compute `campaign_performance` afresh and write it; a table that does not stand yet counts as empty.

    The session must have been attached after the tables were last written.
    """
    parameters: dict[str, str] = {}
    query = QUERY.format(
        session_platform=_platform("mkt_source", settings, parameters),
        person_platform=_platform("mkt_source", settings, parameters),
        is_qualified=_is_qualified(settings, parameters),
    )
    reads = [f"{name}_read as (\n{_read(name, lake)}\n)" for name in READS]
    rows = session.query("with " + ",\n".join([*reads, query.lstrip()]), parameters).read_all()
    rows = rows.append_column("measured_at", pa.array([now] * rows.num_rows, TIMESTAMP))
    performance = rows.select(CAMPAIGN_PERFORMANCE.schema.names).cast(CAMPAIGN_PERFORMANCE.schema)
    lake.overwrite(CAMPAIGN_PERFORMANCE.name, performance)
    return performance


def _read(name: str, lake: Lake) -> str:
    if lake.exists(name):
        return f"    select {', '.join(READS[name])} from {name}"
    nothing = ", ".join(f"cast(null as {kind}) as {column}" for column, kind in READS[name].items())
    return f"    select {nothing} where false"


def _platform(column: str, settings: MeasureSettings, parameters: dict[str, str]) -> str:
    branches = []
    for platform, sources in settings.platform_sources.items():
        for source in sources:
            number = len(parameters)
            parameters |= {f"source_{number}": source.lower(), f"platform_{number}": platform.lower()}
            branches.append(f"when $source_{number} then $platform_{number}")
    return f"case lower({column}) {' '.join(branches)} else lower({column}) end" if branches else f"lower({column})"


def _is_qualified(settings: MeasureSettings, parameters: dict[str, str]) -> str:
    stages = {f"stage_{number}": stage for number, stage in enumerate(settings.qualified_stages)}
    parameters |= stages
    return f"stage in ({', '.join(f'${name}' for name in stages)})" if stages else "false"
