{{ config(
  unique_key="person_id", partition_by="first_week",
  scope="person_id in (select person_id from touched_firsts)"
) }}
{#- Grain: one person, as known when the first session ended (`observed_tstamp`). Nothing that happened later is a
    feature; `converted` and `first_conversion_tstamp` are what is to be predicted. -#}
{%- set parts -%}
  select first_week from {{ ref("touched_firsts") }}
{%- endset %}
with firsts as (
  select sessions.*
  from {{ rows_of(ref("sessions"), "session_week", parts) }} as sessions
  where domain_sessionid in (select first_domain_sessionid from {{ ref("touched_firsts") }})
),

first_views as (
  select
    *, row_number() over (partition by domain_sessionid order by page_view_in_session_index) as place
  from {{ rows_of(ref("page_views"), "session_week", parts) }} as views
  where domain_sessionid in (select first_domain_sessionid from {{ ref("touched_firsts") }})
),

converted as (
  select person_id, min(cv_tstamp) as first_conversion_tstamp
  from {{ ref("conversions") }}
  where person_id in (select person_id from {{ ref("touched_firsts") }})
  group by person_id
)

select
  firsts.person_id, firsts.domain_userid,
  firsts.start_tstamp as first_touch_tstamp,
  firsts.first_page_title, firsts.first_page_urlpath,
  firsts.refr_urlhost, firsts.refr_medium, firsts.refr_source,
  firsts.mkt_medium, firsts.mkt_source, firsts.mkt_campaign, firsts.mkt_term, firsts.mkt_content,
  firsts.default_channel_group,
  views.engaged_time_in_s, views.absolute_time_in_s, views.vertical_percentage_scrolled,
  firsts.page_views as session_page_views,
  firsts.engaged_time_in_s as session_engaged_time_in_s,
  firsts.link_clicks as session_link_clicks,
  cast(extract(hour from firsts.start_tstamp) as int) as session_hour,
  {{ weekday("firsts.start_tstamp") }} as session_weekday,
  firsts.geo_country, firsts.geo_timezone, firsts.br_lang, firsts.device_category, firsts.os_family,
  firsts.useragent_family,
  firsts.end_tstamp as observed_tstamp,
  coalesce(converted.first_conversion_tstamp <= firsts.end_tstamp, false) as converted_before,
  converted.first_conversion_tstamp is not null
    and not coalesce(converted.first_conversion_tstamp <= firsts.end_tstamp, false) as converted,
  converted.first_conversion_tstamp,
  firsts.domain_sessionid as first_domain_sessionid,
  firsts.session_week as first_week
from firsts
left join first_views as views on views.domain_sessionid = firsts.domain_sessionid and views.place = 1
left join converted on converted.person_id = firsts.person_id
