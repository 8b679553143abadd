{{ config(
  unique_key=["visit_id", "event_date", "domain_userid"], partition_by="event_week", few_rows=50000, tags=["always"],
  partitions="select distinct event_week from visit_days__built"
) }}
{#- Grain: one day on which a visit was seen with a cookie ('' for none). It only grows, in whatever order events come. It says
    which files hold a visit's events, and when a cookie was first seen. -#}
{%- set weeks -%}
  select distinct {{ week_of("cast(collector_tstamp as date)") }} from {{ source("lake", "new_events") }}
{%- endset %}
with seen as (
  select
    {{ visit_id() }} as visit_id,
    cast(collector_tstamp as date) as event_date,
    coalesce(domain_userid, '') as domain_userid,
    min(derived_tstamp) as first_tstamp
  from {{ source("lake", "new_events") }}
  where {{ is_counted() }}
  group by 1, 2, 3
)
{%- if is_incremental() %},

stood as (
  select stands.visit_id, stands.event_date, stands.domain_userid, stands.first_tstamp
  from {{ rows_of(this, "event_week", weeks) }} as stands
  inner join seen
    on seen.visit_id = stands.visit_id and seen.event_date = stands.event_date and seen.domain_userid = stands.domain_userid
),

known as (
  select * from seen
  union all
  select * from stood
)
{%- else %},

known as (select * from seen)
{%- endif %}

select
  visit_id, event_date, domain_userid,
  min(first_tstamp) as first_tstamp,
  {{ week_of("event_date") }} as event_week
from known
group by visit_id, event_date, domain_userid
