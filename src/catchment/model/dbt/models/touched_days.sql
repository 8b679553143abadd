{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one day on which a visit that must be counted anew was seen. Those are the visits of new events, and those whose
    person has changed by somebody logging in: found by comparing, so a build that was cut off is made good by the next. -#}
-- depends_on: {{ ref("user_mapping") }}
{% set standing = standing_tables(["sessions", "conversions", "page_views"]) -%}
with touched as (
  select {{ visit_id() }} as visit_id from {{ source("lake", "new_events") }} where {{ is_counted() }}
  {%- for table in standing %}
  union
  select stands.{{ "visit_id" if table == "conversions" else "domain_sessionid" }}
  from {{ standing[table] }} as stands
  left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = stands.domain_userid
  where coalesce(mapping.person_id, stands.domain_userid) <> stands.person_id
    or coalesce(mapping.user_id, stands.domain_userid) <> stands.stitched_user_id
  {%- endfor %}
),

starts as (
  select days.visit_id, min(days.event_date) as start_date
  from {{ ref("visit_days") }} as days
  inner join touched on touched.visit_id = days.visit_id
  group by days.visit_id
)

select distinct
  days.visit_id, days.event_date,
  {{ week_of("starts.start_date") }} as session_week
from {{ ref("visit_days") }} as days
inner join starts on starts.visit_id = days.visit_id
inner join {{ source("lake", "build_slice") }} as slice
  on (slice.first_day is null or starts.start_date >= slice.first_day)
  and (slice.last_day is null or starts.start_date <= slice.last_day)
