{{ config(unique_key=["domain_userid", "trait"], tags=["always"]) }}
{#- Grain: one trait of one cookie, as it was last told (`model.traits` of the settings). It only grows, so it reads events as
    they came, not as sessions count them: which of those count can change when more come. -#}
with events as (
  select *
  from {{ events_of(ref("touched_days")) }} as events
  where {{ is_counted() }} and domain_userid is not null
    and {{ visit_id() }} in (select visit_id from {{ ref("touched_days") }})
),

told as (
  {%- for name, trait in var("traits").items() %}
  select
    domain_userid, '{{ name }}' as trait, cast({{ told(trait) }} as string) as told, derived_tstamp as told_tstamp, event_id
  from events
  where {{ told(trait) }} is not null
  union all
  {%- endfor %}
  {%- if is_incremental() %}
  select domain_userid, trait, told, told_tstamp, event_id from {{ this }}
  {%- else %}
  select domain_userid, event_id as trait, event_id as told, derived_tstamp as told_tstamp, event_id
  from events
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
