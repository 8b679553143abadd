{{ config(
  unique_key="person_id", partition_by="last_week", few_rows=1000, is_kept=true,
  scope="person_id in (select person_id from touched_people)"
) }}
{#- Grain: one person, over all cookies and sessions. Traits are theirs who was logged in when they were told, and of what was
    told the settings say what survives. -#}
{%- set traits = var("traits") -%}
{%- set touched = "select person_id from " ~ ref("touched_people") -%}
{%- set usual = ["email", "first_name", "last_name", "company", "country"] -%}
with cookies as (
  select
    users.*,
    row_number() over (
      partition by users.person_id order by users.start_tstamp nulls last, users.domain_userid
    ) as place
  from {{ made_now(ref("users")) }} as users
  where users.person_id in (select person_id from {{ ref("touched_people") }})
),

totals as (
  select
    person_id,
    min(start_tstamp) as first_seen_tstamp,
    max(end_tstamp) as last_seen_tstamp,
    count(*) as devices,
    sum(sessions) as sessions,
    sum(page_views) as page_views,
    sum(engaged_time_in_s) as engaged_time_in_s,
    sum(absolute_time_in_s) as absolute_time_in_s,
    max(last_week) as last_week
  from cookies
  group by person_id
),

converted as (
  select person_id, count(*) as conversions, min(cv_tstamp) as first_conversion_tstamp
  from {{ rows_with(ref("conversions"), "person_id", touched, ["person_id", "cv_tstamp"]) }} as conversions
  group by person_id
),

logins as (
  select
    person_id, user_id,
    row_number() over (partition by person_id order by end_tstamp desc nulls last, domain_userid) as recency
  from {{ rows_with(ref("user_mapping"), "person_id", touched, ["person_id", "user_id", "end_tstamp", "domain_userid"]) }} as mapping
)
{%- if traits %},
{%- set names = ["domain_userid", "user_id", "trait", "source", "slot", "told", "told_tstamp", "event_id"] %}
{%- set of_cookies = rows_with(ref("user_traits"), "domain_userid", "select domain_userid from " ~ ref("touched_users"), names) %}
{%- set users -%}
  select value from {{ source("lake", "identity_touched") }} where kind = 'user_id' and person_id in ({{ touched }})
{%- endset %}
{%- set of_users = rows_with(ref("user_traits"), "user_id", users, names) %}

concerned as (
  select * from {{ of_cookies }} as of_cookies
  union
  select * from {{ of_users }} as of_users
),

owned as (
  select coalesce(logged_in.person_id, mapping.person_id, traits.domain_userid) as person_id, traits.*
  from concerned as traits
  left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = traits.domain_userid
  left join {{ source("lake", "identity_touched") }} as logged_in
    on logged_in.kind = 'user_id' and logged_in.value = traits.user_id
),

counted as (
  select *, count(*) over (partition by person_id, trait, told) as days
  from owned
  where person_id in (select person_id from {{ ref("touched_people") }})
),

told as (
  select
    person_id, trait, told,
    row_number() over (
      partition by person_id, trait
      order by {{ told_rank("trait") }}, {{ told_order("trait", "told_tstamp") }}, event_id desc, told desc
    ) as recency
  from counted
),

wide as (
  select
    person_id
    {%- for name in traits %},
    max(case when trait = '{{ name }}' then told end) as {{ name }}
    {%- endfor %}
  from told
  where recency = 1
  group by person_id
)
{%- endif %}

select
  firsts.person_id,
  logins.user_id,
  {% for name in usual if name != "country" and name not in traits -%}
  cast(null as string) as {{ name }},
  {% endfor -%}
  {% for name in traits if name != "country" -%}
  wide.{{ name }},
  {% endfor -%}
  {% if "country" in traits %}coalesce(wide.country, firsts.first_geo_country){% else %}firsts.first_geo_country{% endif %} as country,
  totals.first_seen_tstamp, totals.last_seen_tstamp,
  cast(totals.devices as int) as devices,
  cast(totals.sessions as int) as sessions,
  cast(totals.page_views as int) as page_views,
  cast(totals.engaged_time_in_s as int) as engaged_time_in_s,
  cast(totals.absolute_time_in_s as int) as absolute_time_in_s,
  firsts.first_page_title, firsts.first_page_urlpath, firsts.refr_urlhost, firsts.refr_medium, firsts.refr_source,
  firsts.mkt_medium, firsts.mkt_source, firsts.mkt_campaign, firsts.mkt_term, firsts.mkt_content,
  firsts.default_channel_group, firsts.first_geo_country as geo_country, firsts.first_br_lang as br_lang,
  firsts.device_category, firsts.os_family,
  cast(coalesce(converted.conversions, 0) as int) as conversions,
  coalesce(converted.conversions, 0) > 0 as converted,
  converted.first_conversion_tstamp,
  firsts.domain_userid as first_domain_userid, firsts.first_domain_sessionid, firsts.first_week, totals.last_week
from cookies as firsts
inner join totals on totals.person_id = firsts.person_id
left join converted on converted.person_id = firsts.person_id
left join logins on logins.person_id = firsts.person_id and logins.recency = 1
{%- if traits %}
left join wide on wide.person_id = firsts.person_id
{%- endif %}
where firsts.place = 1
