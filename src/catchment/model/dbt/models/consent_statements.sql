{{ config(
  unique_key=["domain_userid", "user_id", "purpose", "is_choice"], partition_by="told_week", few_rows=10000, is_kept=true,
  tags=["always"]
) }}
{#- Grain: what one cookie (or, without one, one user) said last of one purpose; '*' is every purpose that is not named. It only
    grows. `is_choice` is false of what is no choice: a banner that waits, a legal basis that a page names. -#}
{%- set told = [
  "domain_userid", "user_id", "told_tstamp", "event_id", "purpose", "is_choice", "granted", "status", "basis", "document_version",
  "expires_tstamp",
] -%}
with statements as (
  select {{ fields(told) }} from {{ ref("statements_told") }}
  {%- if is_incremental() %}
  {%- set cookies = "select domain_userid from " ~ ref("statements_told") ~ " where domain_userid <> ''" %}
  {%- set users = "select user_id from " ~ ref("statements_told") ~ " where domain_userid = ''" %}
  union all
  select {{ fields(told) }} from {{ rows_with(this, "domain_userid", cookies, told) }} as of_cookies
  union all
  select {{ fields(told) }} from {{ rows_with(this, "user_id", users, told) }} as of_users where domain_userid = ''
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
)

select
  domain_userid, user_id, purpose, is_choice, granted, status, basis, document_version, expires_tstamp, told_tstamp,
  event_id, {{ week_of("cast(told_tstamp as date)") }} as told_week
from ranked
where recency = 1
