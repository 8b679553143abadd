{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one day on which a visit that must be counted anew was seen with one cookie ('' for none). Those are the visits of new
    events, and those of cookies that belong to another user or person than the tables that stand were made with. -#}
-- depends_on: {{ ref("user_mapping") }}
{%- set moved = "select domain_userid from " ~ source("lake", "moved_cookies") -%}
{%- set touched -%}
  select {{ visit_id() }} as visit_id from {{ source("lake", "new_events") }} where {{ is_counted() }}
  union
  select visit_id from {{ rows_with(ref("visit_days"), "domain_userid", moved, ["visit_id", "domain_userid"]) }} as moved
{%- endset %}
with days as (
  select visit_id, event_date, domain_userid, min(event_date) over (partition by visit_id) as start_date
  from {{ rows_with(ref("visit_days"), "visit_id", touched, ["visit_id", "event_date", "domain_userid"]) }} as touched
)

select days.visit_id, days.event_date, days.domain_userid, {{ week_of("days.start_date") }} as session_week
from days
inner join {{ source("lake", "build_slice") }} as slice
  on (slice.first_day is null or days.start_date >= slice.first_day)
  and (slice.last_day is null or days.start_date <= slice.last_day)
