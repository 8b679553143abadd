{{ config(unique_key=["domain_userid", "user_id", "purpose", "is_choice"], tags=["always"]) }}
{#- Grain: what one cookie (or, without one, one user) said last of one purpose; '*' is every purpose that is not named. It only
    grows, and is told by every event however late: a withdrawal is never too late. `is_choice` is false of what is no choice: a
    banner that waits, a legal basis that a page names. Columns that no event has brought yet tell nothing. -#}
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
  {%- if is_incremental() %}
  select
    domain_userid, user_id, told_tstamp, event_id, purpose, is_choice, granted, status, basis, document_version,
    expires_tstamp
  from {{ this }}
  {%- else %}
  select
    {{ who }}, event_id as purpose, true as is_choice, true as granted, event_id as status, event_id as basis,
    event_id as document_version, derived_tstamp as expires_tstamp
  from events
  where 1 = 0
  {%- endif %}
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
),

ranked as (
  select
    *,
    row_number() over (
      partition by domain_userid, user_id, purpose, is_choice
      order by told_tstamp desc nulls last, event_id desc, granted, status desc
    ) as recency
  from statements
  where purpose is not null
)

select
  domain_userid, user_id, purpose, is_choice, granted, status, basis, document_version, expires_tstamp, told_tstamp,
  event_id
from ranked
where recency = 1
