{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one cookie whose row of users must be made anew: it was seen in a visit that was counted anew, or belongs to
    another person than its row says. -#}
-- depends_on: {{ ref("sessions") }}, {{ ref("user_mapping") }}
{% set standing = standing_tables(["users"]) -%}
with touched as (
  select days.domain_userid
  from {{ ref("visit_days") }} as days
  where days.domain_userid <> '' and days.visit_id in (select visit_id from {{ ref("touched_days") }})
  {%- if standing %}
  union
  select stands.domain_userid
  from {{ standing.users }} as stands
  left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = stands.domain_userid
  where coalesce(mapping.person_id, stands.domain_userid) <> stands.person_id
    or coalesce(mapping.user_id, stands.domain_userid) <> stands.stitched_user_id
  {%- endif %}
)

select
  touched.domain_userid,
  {{ "stands.person_id" if standing else "cast(null as string)" }} as stood_as
from (select distinct domain_userid from touched) as touched
{%- if standing %}
left join {{ standing.users }} as stands on stands.domain_userid = touched.domain_userid
{%- endif %}
