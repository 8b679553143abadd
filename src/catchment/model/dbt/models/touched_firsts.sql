{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one touched person whose first-touch features must be made anew: they are new or gone, their first session is another
    or was counted anew, or their first conversion is. Who only comes back changes nothing there. -#}
{%- set standing = standing_table("first_touch_features") %}
{%- set told = ["person_id", "first_domain_sessionid", "first_conversion_tstamp"] %}
{%- set people = "select person_id from " ~ ref("touched_people") %}
with touched as (
  select
    touched.person_id, people.first_domain_sessionid, people.first_week, people.first_conversion_tstamp,
    people.first_domain_sessionid in (select visit_id from {{ ref("touched_days") }}) as is_counted_anew
  from {{ ref("touched_people") }} as touched
  left join {{ made_now(ref("people")) }} as people on people.person_id = touched.person_id
)

select
  touched.person_id, touched.first_domain_sessionid, touched.first_week, touched.first_conversion_tstamp,
  {% if standing -%}
  coalesce(not touched.is_counted_anew and stands.first_domain_sessionid = touched.first_domain_sessionid, false) as is_same_session
  {%- else -%}
  false as is_same_session
  {%- endif %}
from touched
{%- if standing %}
left join {{ rows_with(standing, "person_id", people, told) }} as stands on stands.person_id = touched.person_id
where touched.is_counted_anew
  or stands.first_domain_sessionid is distinct from touched.first_domain_sessionid
  or stands.first_conversion_tstamp is distinct from touched.first_conversion_tstamp
{%- endif %}
