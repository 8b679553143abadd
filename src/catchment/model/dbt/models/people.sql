{#- Grain: one person, over all cookies and sessions. Traits are the last that were told. -#}
{%- set traits = var("traits") -%}
{%- set usual = ["email", "first_name", "last_name", "company", "country"] -%}
with ordered as (
  select
    *, row_number() over (partition by person_id order by start_tstamp, domain_sessionid) as place
  from {{ ref("sessions") }}
),

totals as (
  select
    person_id,
    min(start_tstamp) as first_seen_tstamp,
    max(end_tstamp) as last_seen_tstamp,
    count(*) as sessions,
    sum(page_views) as page_views,
    sum(engaged_time_in_s) as engaged_time_in_s,
    sum(absolute_time_in_s) as absolute_time_in_s
  from {{ ref("sessions") }}
  group by person_id
),

converted as (
  select person_id, count(*) as conversions, min(cv_tstamp) as first_conversion_tstamp
  from {{ ref("conversions") }}
  group by person_id
),

logins as (
  select
    person_id, user_id, row_number() over (partition by person_id order by end_tstamp desc, domain_userid) as recency
  from {{ ref("user_mapping") }}
)
{%- for name in traits %},

trait_{{ name }} as (
  select
    coalesce(mapping.person_id, events.domain_userid) as person_id,
    events.trait_{{ name }} as told,
    row_number() over (
      partition by coalesce(mapping.person_id, events.domain_userid)
      order by events.derived_tstamp desc, events.event_id desc
    ) as recency
  from {{ ref("base_events") }} as events
  left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = events.domain_userid
  where events.trait_{{ name }} is not null
)
{%- endfor %}

select
  firsts.person_id,
  logins.user_id,
  {% for name in usual if name != "country" and name not in traits -%}
  cast(null as {{ dbt.type_string() }}) as {{ name }},
  {% endfor -%}
  {% for name in traits if name != "country" -%}
  trait_{{ name }}.told as {{ name }},
  {% endfor -%}
  {% if "country" in traits %}coalesce(trait_country.told, firsts.geo_country){% else %}firsts.geo_country{% endif %} as country,
  totals.first_seen_tstamp, totals.last_seen_tstamp,
  cast(totals.sessions as int) as sessions,
  cast(totals.page_views as int) as page_views,
  cast(totals.engaged_time_in_s as int) as engaged_time_in_s,
  cast(totals.absolute_time_in_s as int) as absolute_time_in_s,
  firsts.first_page_title, firsts.first_page_urlpath, firsts.refr_urlhost, firsts.refr_medium, firsts.refr_source,
  firsts.mkt_medium, firsts.mkt_source, firsts.mkt_campaign, firsts.mkt_term, firsts.mkt_content,
  firsts.default_channel_group, firsts.geo_country, firsts.br_lang, firsts.device_category, firsts.os_family,
  cast(coalesce(converted.conversions, 0) as int) as conversions,
  coalesce(converted.conversions, 0) > 0 as converted,
  converted.first_conversion_tstamp
from ordered as firsts
inner join totals on totals.person_id = firsts.person_id
left join converted on converted.person_id = firsts.person_id
left join logins on logins.person_id = firsts.person_id and logins.recency = 1
{%- for name in traits %}
left join trait_{{ name }} on trait_{{ name }}.person_id = firsts.person_id and trait_{{ name }}.recency = 1
{%- endfor %}
where firsts.place = 1
