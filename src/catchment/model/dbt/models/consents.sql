{{ config(
  unique_key=["person_id", "purpose"], partition_by="told_week", few_rows=10000, is_kept=true, tags=["always"],
  scope="person_id in (select person_id from touched_consents)"
) }}
{#- Grain: one person and one purpose that they were ever asked for or told of. What they said last holds; a word on every
    purpose holds for those it does not name. A consent that has run out when the build runs is granted no longer. -#}
{%- set touched = "select person_id from " ~ ref("touched_consents") -%}
{%- set statements = ref("consent_statements") -%}
{%- set by_cookie, by_user = ref("user_mapping"), ref("user_mapping") -%}
{%- if is_incremental() %}
{%- set names = [
  "domain_userid", "user_id", "purpose", "is_choice", "granted", "status", "basis", "document_version", "expires_tstamp",
  "told_tstamp", "event_id",
] -%}
{%- set owner = ["person_id", "domain_userid", "user_id"] -%}
{%- set theirs = rows_with(ref("user_mapping"), "person_id", touched, owner) -%}
{%- set cookies = "select domain_userid from " ~ theirs ~ " as theirs union " ~ touched -%}
{%- set logins = "select user_id from " ~ theirs ~ " as theirs union " ~ touched -%}
{%- set by_cookie = rows_with(ref("user_mapping"), "domain_userid", cookies, owner) -%}
{%- set by_user = rows_with(ref("user_mapping"), "user_id", logins, owner) -%}
{%- set statements -%}
  (
    select * from {{ rows_with(ref("consent_statements"), "domain_userid", cookies, names) }} as of_cookies
    union all
    select * from {{ rows_with(ref("consent_statements"), "user_id", logins, names) }} as of_users where domain_userid = ''
  )
{%- endset -%}
{%- endif %}
with users as (
  select distinct user_id, person_id from {{ by_user }} as mapping
),

told as (
  select
    coalesce(cookies.person_id, users.person_id, nullif(statements.domain_userid, ''), statements.user_id) as person_id,
    statements.*
  from {{ statements }} as statements
  left join {{ by_cookie }} as cookies on cookies.domain_userid = statements.domain_userid
  left join users on statements.domain_userid = '' and users.user_id = statements.user_id
),

ranked as (
  select
    *,
    row_number() over (
      partition by person_id, purpose
      order by case when is_choice then 0 else 1 end, told_tstamp desc nulls last, event_id desc, granted, domain_userid
    ) as recency
  from told
  {%- if is_incremental() %}
  where person_id in ({{ touched }})
  {%- endif %}
),

named as (select * from ranked where recency = 1 and purpose <> '*'),

sweeps as (select * from ranked where recency = 1 and purpose = '*'),

held as (
  select
    named.*,
    sweeps.status as swept_status, sweeps.basis as swept_basis, sweeps.document_version as swept_version,
    sweeps.told_tstamp as swept_tstamp, sweeps.event_id as swept_event_id,
    coalesce(
      sweeps.told_tstamp > named.told_tstamp
        or (sweeps.told_tstamp = named.told_tstamp and sweeps.event_id > named.event_id),
      false
    ) as is_swept,
    coalesce(named.expires_tstamp <= current_timestamp, false) as is_over
  from named
  left join sweeps on sweeps.person_id = named.person_id
),

last_words as (
  select
    person_id, purpose,
    granted and not is_swept and not is_over as granted,
    case when is_swept then swept_status when granted and is_over then 'expired' else status end as status,
    case when is_swept then swept_basis else basis end as basis,
    case when is_swept then swept_version else document_version end as document_version,
    case when is_swept then null else expires_tstamp end as expires_tstamp,
    case when is_swept then swept_tstamp else told_tstamp end as told_tstamp,
    case when is_swept then swept_event_id else event_id end as event_id
  from held
)

select *, {{ week_of("cast(told_tstamp as date)") }} as told_week
from last_words
