{{ config(materialized="identity", tags=["always"]) }}
{#- Grain: one pair of identifiers that new events told together in one week, the stronger first; or one identifier (kind_a is '')
    that they told without a stronger one. Of an event each identifier is linked to its strongest, so that a pair that is cut
    by a rule is not joined again by a third. -#}
{%- set identifiers = var("identity") -%}
{%- set values = [] -%}
{%- for identifier in identifiers %}{% set kind = loop.index -%}
  {%- do values.append("value_" ~ kind) -%}
  {%- for place in identifier.aliases %}{% do values.append("alias_" ~ kind ~ "_" ~ loop.index) %}{% endfor -%}
{%- endfor -%}
with spelled as (
  select
    coalesce(derived_tstamp, collector_tstamp) as seen_tstamp, event_id
    {%- for identifier in identifiers %}{% set kind = loop.index %}
    {%- for place in identifier.places %},
    {{ spelled(told(place), "lower" if place.hashed else identifier.normalise) }} as told_{{ kind }}_{{ loop.index }}
    {%- endfor %}
    {%- for place in identifier.aliases %},
    {{ spelled(told(place), identifier.normalise) }} as alias_{{ kind }}_{{ loop.index }}
    {%- endfor %}
    {%- endfor %}
  from {{ source("lake", "new_events") }}
  where {{ is_counted() }}
),

known as (
  select
    seen_tstamp, event_id
    {%- for identifier in identifiers %}{% set kind = loop.index %},
    coalesce(
      {%- for place in identifier.places -%}
      {%- set told = "told_" ~ kind ~ "_" ~ loop.index %}
      case
        {%- if place.hashed %}
        when {{ matches(told, "^[0-9a-f]{64}$") }} then {{ told }}
        {%- else %}
        when {{ identifies(told, identifier) }} then {{ sha256_of(told) if identifier.hash else told }}
        {%- endif %}
      end{{ "," if not loop.last }}
      {%- endfor %}
    ) as value_{{ kind }}
    {%- for place in identifier.aliases %}{% set told = "alias_" ~ kind ~ "_" ~ loop.index %},
    case when {{ identifies(told, identifier) }} then {{ sha256_of(told) if identifier.hash else told }} end as {{ told }}
    {%- endfor %}
    {%- endfor %}
  from spelled
  where seen_tstamp is not null
),

seen as (
  select
    {{ fields(values) }},
    {{ week_of("cast(seen_tstamp as date)") }} as week,
    min(seen_tstamp) as first_seen_tstamp,
    max(seen_tstamp) as last_seen_tstamp,
    bit_or(cast(power(2, {{ weekday("seen_tstamp") }}) as int)) as weekdays,
    {{ first_event("seen_tstamp") }} as first_event_id
  from known
  group by {{ fields(values) }},
    {{ week_of("cast(seen_tstamp as date)") }}
),

pairs as (
  {%- for identifier in identifiers %}{% set kind = loop.index %}
  select
    {% if kind == 1 -%}
    '' as kind_a, '' as value_a,
    {%- else -%}
    case
      {%- for stronger in identifiers[:kind - 1] %}
      when value_{{ loop.index }} is not null then '{{ stronger.name }}'
      {%- endfor %}
      else ''
    end as kind_a,
    coalesce({% for stronger in identifiers[:kind - 1] %}value_{{ loop.index }}, {% endfor %}'') as value_a,
    {%- endif %}
    '{{ identifier.name }}' as kind_b, value_{{ kind }} as value_b,
    week, first_seen_tstamp, last_seen_tstamp, weekdays, first_event_id
  from seen
  where value_{{ kind }} is not null
  {%- for place in identifier.aliases %}{% set alias = "alias_" ~ kind ~ "_" ~ loop.index %}
  union all
  select
    '{{ identifier.name }}' as kind_a, least(value_{{ kind }}, {{ alias }}) as value_a,
    '{{ identifier.name }}' as kind_b, greatest(value_{{ kind }}, {{ alias }}) as value_b,
    week, first_seen_tstamp, last_seen_tstamp, weekdays, first_event_id
  from seen
  where value_{{ kind }} <> {{ alias }}
  {%- endfor %}
  {{ "union all" if not loop.last }}
  {%- endfor %}
)

select * from pairs
