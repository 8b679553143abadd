{{ config(unique_key=["domain_userid", "trait"], tags=["always"]) }}
{#- Grain: one trait of one cookie, as it was last told (`model.traits` of the settings). It only grows. -#}
with told as (
  {%- for name in var("traits") %}
  select domain_userid, '{{ name }}' as trait, cast(trait_{{ name }} as {{ dbt.type_string() }}) as told, derived_tstamp as told_tstamp, event_id
  from {{ ref("base_events") }}
  where trait_{{ name }} is not null
  union all
  {%- endfor %}
  {%- if is_incremental() %}
  select domain_userid, trait, told, told_tstamp, event_id from {{ this }}
  {%- else %}
  select domain_userid, event_id as trait, event_id as told, derived_tstamp as told_tstamp, event_id
  from {{ ref("base_events") }}
  where 1 = 0
  {%- endif %}
),

ranked as (
  select
    *,
    row_number() over (
      partition by domain_userid, trait order by told_tstamp desc nulls last, event_id desc, told desc
    ) as recency
  from told
)

select domain_userid, trait, told, told_tstamp, event_id
from ranked
where recency = 1
