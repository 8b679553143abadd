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
  concat(converted.event_id, '/', converted.conversion_name) as cv_id,
  converted.event_id,
  converted.conversion_name as cv_type,
  converted.derived_tstamp as cv_tstamp,
  converted.conversion_value as cv_value,
  converted.domain_sessionid,
  converted.domain_userid,
  coalesce(mapping.person_id, converted.domain_userid) as person_id,
  coalesce(converted.user_id, mapping.user_id) as user_id
from converted
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = converted.domain_userid
