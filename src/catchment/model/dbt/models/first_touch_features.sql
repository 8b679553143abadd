{{ config(
  unique_key="person_id", partition_by="first_week", is_kept=true,
  scope="person_id in (select person_id from touched_firsts)"
) }}
{#- Grain: one person, as known when the first session ended (`observed_tstamp`). Nothing that happened later is a
    feature; `converted` and `first_conversion_tstamp` are what is to be predicted. What is known of a first session that is the
    same as before is taken from the row that stands. -#}
{%- set standing = standing_rows() -%}
{%- set parts -%}
  select first_week from {{ ref("touched_firsts") }} where not is_same_session
{%- endset -%}
{%- set known = [
  "person_id", "domain_userid", "first_touch_tstamp", "first_page_title", "first_page_urlpath", "refr_urlhost", "refr_medium",
  "refr_source", "mkt_medium", "mkt_source", "mkt_campaign", "mkt_term", "mkt_content", "default_channel_group",
  "engaged_time_in_s", "absolute_time_in_s", "vertical_percentage_scrolled", "session_page_views",
  "session_engaged_time_in_s", "session_link_clicks", "session_hour", "session_weekday", "geo_country", "geo_timezone",
  "br_lang", "device_category", "os_family", "useragent_family", "observed_tstamp", "first_domain_sessionid", "first_week",
] -%}
with read_anew as (
  select first_domain_sessionid from {{ ref("touched_firsts") }} where not is_same_session
),

firsts as (
  select sessions.*
  from {{ rows_of(ref("sessions"), "session_week", parts) }} as sessions
  where domain_sessionid in (select first_domain_sessionid from read_anew)
),

first_views as (
  select
    *, row_number() over (partition by domain_sessionid order by page_view_in_session_index) as place
  from {{ rows_of(ref("page_views"), "session_week", parts) }} as views
  where domain_sessionid in (select first_domain_sessionid from read_anew)
),

known as (
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
    firsts.domain_sessionid as first_domain_sessionid,
    firsts.session_week as first_week
  from firsts
  left join first_views as views on views.domain_sessionid = firsts.domain_sessionid and views.place = 1
  {%- if standing %}
  union all
  select {{ fields(known) }}
  from {{ standing }}
  where person_id in (select person_id from {{ ref("touched_firsts") }} where is_same_session)
  {%- endif %}
)

select
  {{ fields(known[:-2], "known.") }},
  coalesce(touched.first_conversion_tstamp <= known.observed_tstamp, false) as converted_before,
  touched.first_conversion_tstamp is not null
    and not coalesce(touched.first_conversion_tstamp <= known.observed_tstamp, false) as converted,
  touched.first_conversion_tstamp,
  known.first_domain_sessionid, known.first_week
from known
left join {{ ref("touched_firsts") }} as touched on touched.person_id = known.person_id
