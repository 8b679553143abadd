{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one trait that one event of a touched visit tells, in the slot in which it may survive. -#}
{%- set traits = var("traits") -%}
with events as (
  select
    coalesce(domain_userid, '') as cookie, {{ user_of_event() }} as spelled_user_id,
    events.*
  from {{ events_of(ref("touched_days")) }} as events
  where {{ is_counted() }} and (domain_userid is not null or user_id is not null)
    and {{ visit_id() }} in (select visit_id from {{ ref("touched_days") }})
),

told as (
  {%- for name, trait in traits.items() %}
  {%- for place in trait.places %}
  select
    cookie as domain_userid, spelled_user_id as user_id, '{{ name }}' as trait,
    {{ loop.index0 if trait.keep == "source" else 0 }} as source,
    {% if trait.keep == "most_frequent" -%}
    concat(cast(cast(derived_tstamp as date) as string), ' ', cast({{ told(place) }} as string)) as slot,
    {%- else -%}
    '' as slot,
    {%- endif %}
    cast({{ told(place) }} as string) as told, derived_tstamp as told_tstamp, event_id
  from events
  where {{ told(place) }} is not null
  union all
  {%- endfor %}
  {%- endfor %}
  select
    cookie as domain_userid, event_id as user_id, event_id as trait, 0 as source, event_id as slot, event_id as told,
    derived_tstamp as told_tstamp, event_id
  from events
  where 1 = 0
)

select * from told where slot is not null
