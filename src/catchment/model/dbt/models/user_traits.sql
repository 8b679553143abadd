{{ config(
  unique_key=["domain_userid", "user_id", "trait", "source", "slot"], partition_by="told_week", is_kept=true, tags=["always"]
) }}
{#- Grain: one trait of one cookie and user ('' for none), by what of it may survive (`model.traits` of the settings): one value
    of each source where sources have ranks, one of each value and day where the most frequent survives, else one. It only grows,
    so it reads events as they came, not as sessions count them: which of those count can change when more come. -#}
{%- set told = ["domain_userid", "user_id", "trait", "source", "slot", "told", "told_tstamp", "event_id"] -%}
with told as (
  select {{ fields(told) }} from {{ ref("traits_told") }}
  {%- if is_incremental() %}
  {%- set cookies = "select domain_userid from " ~ ref("traits_told") ~ " where domain_userid <> ''" %}
  {%- set users = "select user_id from " ~ ref("traits_told") ~ " where domain_userid = ''" %}
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
      partition by domain_userid, user_id, trait, source, slot
      order by {{ told_order("trait", "told_tstamp") }}, event_id desc, told desc
    ) as recency
  from told
)

select
  domain_userid, user_id, trait, source, slot, told, told_tstamp, event_id,
  {{ week_of("cast(told_tstamp as date)") }} as told_week
from ranked
where recency = 1
