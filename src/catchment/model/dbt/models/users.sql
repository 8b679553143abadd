{{ config(
  unique_key="domain_userid", partition_by="last_week",
  scope="domain_userid in (select domain_userid from touched_users)"
) }}
{#- Grain: one cookie. Firsts come from its first session, lasts from its last. Files are parted by when a cookie was last
    seen, so those of cookies that never come again are never rewritten. -#}
{%- set parts -%}
  select first_week from {{ ref("user_totals") }} union select last_week from {{ ref("user_totals") }}
{%- endset %}
with edges as (
  select sessions.*
  from {{ rows_of(ref("sessions"), "session_week", parts) }} as sessions
  where sessions.domain_sessionid in (
    select first_sessionid from {{ ref("user_totals") }}
    union
    select last_sessionid from {{ ref("user_totals") }}
  )
)

select
  totals.domain_userid, firsts.person_id, firsts.user_id, firsts.stitched_user_id, firsts.network_userid,
  totals.start_tstamp, totals.end_tstamp,
  totals.page_views, totals.sessions, totals.engaged_time_in_s, totals.absolute_time_in_s,
  {% for name in page_fields() -%}
  firsts.first_{{ name }}, lasts.last_{{ name }},
  {% endfor -%}
  {% for name in country_fields() -%}
  firsts.{{ name }} as first_{{ name }}, lasts.last_{{ name }},
  {% endfor -%}
  firsts.br_lang as first_br_lang, firsts.br_lang_name as first_br_lang_name,
  lasts.last_br_lang, lasts.last_br_lang_name,
  firsts.referrer,
  {{ fields(referrer_fields(), "firsts.") }},
  {{ fields(marketing_fields(), "firsts.") }},
  firsts.device_category, firsts.os_family, firsts.useragent_family, firsts.geo_timezone,
  totals.first_sessionid as first_domain_sessionid, totals.last_sessionid as last_domain_sessionid,
  totals.first_week, totals.last_week
from {{ ref("user_totals") }} as totals
inner join edges as firsts on firsts.domain_sessionid = totals.first_sessionid
inner join edges as lasts on lasts.domain_sessionid = totals.last_sessionid
