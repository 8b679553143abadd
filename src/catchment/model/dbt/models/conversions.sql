{{ config(
  unique_key=["cv_id", "visit_id"], partition_by="session_week", few_rows=20000,
  scope="visit_id in (select visit_id from touched_days)",
  partitions="select distinct cast(date_trunc('week', event_date) as date) from touched_days"
) }}
{#- Grain: one event that meets the condition of one declared conversion. -#}
with converted as (
  {%- for conversion in var("conversions") %}
  select
    *, '{{ conversion.name }}' as conversion_name, conversion_value_{{ loop.index }} as conversion_value
  from {{ ref("base_events") }}
  where is_conversion_{{ loop.index }}
  {{ "union all" if not loop.last }}
  {%- else %}
  select *, '' as conversion_name, cast(0 as double) as conversion_value
  from {{ ref("base_events") }}
  where 1 = 0
  {%- endfor %}
)

select
  concat(event_id, '/', conversion_name) as cv_id,
  event_id,
  conversion_name as cv_type,
  derived_tstamp as cv_tstamp,
  dvce_created_tstamp,
  conversion_value as cv_value,
  domain_sessionid,
  domain_userid,
  person_id,
  stitched_user_id,
  coalesce(user_id, mapped_user_id) as user_id,
  visit_id, session_week
from converted
