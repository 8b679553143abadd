{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one statement on one purpose that a new event makes, however late it comes: a withdrawal is never too late. '*' is every
    purpose that is not named. Columns that no event has brought yet tell nothing. -#}
{%- set told = var("consent") -%}
{%- set who -%}
coalesce(domain_userid, '') as domain_userid,
    case when domain_userid is null then user_id else '' end as user_id,
    coalesce(derived_tstamp, collector_tstamp) as told_tstamp, event_id
{%- endset -%}
with events as (
  select * from {{ source("lake", "new_events") }}
  where (domain_userid is not null or user_id is not null) and not {{ is_bot() }}
),

statements as (
  select
    {{ who }}, event_id as purpose, true as is_choice, true as granted, event_id as status, event_id as basis,
    event_id as document_version, derived_tstamp as expires_tstamp
  from events
  where 1 = 0
  {%- if told.preferences %}
  union all
  select
    {{ who }}, {{ each(told.preferences ~ ".consent_scopes") }} as purpose,
    {{ told.preferences }}.event_type <> 'pending' as is_choice,
    {{ told.preferences }}.event_type in ('allow_all', 'allow_selected', 'implicit_consent') as granted,
    {{ told.preferences }}.event_type as status,
    {{ told.preferences }}.basis_for_processing as basis, {{ told.preferences }}.consent_version as document_version,
    null as expires_tstamp
  from events
  where {{ told.preferences }} is not null
  union all
  select
    {{ who }}, '*' as purpose, true as is_choice, false as granted,
    case {{ told.preferences }}.event_type
      when 'allow_selected' then 'not_selected' else {{ told.preferences }}.event_type
    end as status,
    {{ told.preferences }}.basis_for_processing as basis, {{ told.preferences }}.consent_version as document_version,
    null as expires_tstamp
  from events
  where {{ told.preferences }}.event_type in ('allow_selected', 'deny_all', 'withdrawn', 'expired')
  {%- endif %}
  {%- for kind in ["granted", "withdrawn"] if told[kind] and told.document %}
  union all
  select
    domain_userid, user_id, told_tstamp, event_id, document.id as purpose, true as is_choice,
    {{ "true" if kind == "granted" else "false" }} as granted, '{{ kind }}' as status, 'consent' as basis,
    document.version as document_version, expires_tstamp
  from (
    select
      {{ who }}, {{ each(told.document) }} as document,
      {{ told.granted ~ ".expiry" if kind == "granted" else "null" }} as expires_tstamp
    from events
    where {{ told[kind] }} is not null
  ) as {{ kind }}_documents
  {%- endfor %}
  {%- if told.withdrawn %}
  union all
  select
    {{ who }}, '*' as purpose, true as is_choice, false as granted, 'withdrawn' as status, 'consent' as basis,
    null as document_version, null as expires_tstamp
  from events
  where {{ told.withdrawn }}.{{ quoted("all") }}
  {%- endif %}
  {%- if told.gdpr %}
  union all
  select
    domain_userid, user_id, told_tstamp, event_id, entity.document_id as purpose, false as is_choice, false as granted,
    'basis' as status, entity.basis_for_processing as basis, entity.document_version, null as expires_tstamp
  from (
    select {{ who }}, {{ each(told.gdpr) }} as entity from events where {{ told.gdpr }} is not null
  ) as bases
  {%- endif %}
  {%- if told.segment %}
  union all
  select
    domain_userid, user_id, told_tstamp, event_id, {{ key_of("preference") }} as purpose, true as is_choice,
    {{ value_of("preference") }} as granted,
    case when {{ value_of("preference") }} then 'granted' else 'denied' end as status, 'consent' as basis,
    null as document_version, null as expires_tstamp
  from (
    select
      {{ who }}, {{ each(flags_in(first_entity(told.segment, "consent"), "categoryPreferences")) }} as preference
    from events
    where {{ first_entity(told.segment, "consent") }} is not null
  ) as preferences
  where {{ value_of("preference") }} is not null
  {%- endif %}
)

select * from statements where purpose is not null
