{{ config(
  unique_key=["page_view_id", "domain_sessionid"], partition_by="session_week", few_rows=8000,
  scope="domain_sessionid in (select visit_id from touched_days)",
  partitions="select distinct cast(date_trunc('week', event_date) as date) from touched_days"
) }}
{#- Grain: one view of one page in one session. Engaged time counts heartbeats in which the visitor did something. Pings of a
    page that was opened in another session count for neither of its views. -#}
with events as (
  select * from {{ ref("base_events") }} where domain_sessionid is not null and page_view_id is not null
),

copies as (
  select
    domain_sessionid, event_id, derived_tstamp, dvce_created_tstamp,
    row_number() over (
      partition by domain_sessionid, page_view_id
      order by derived_tstamp nulls last, dvce_created_tstamp nulls last, event_id
    ) as copy_number
  from events
  where event_name = 'page_view'
),

pings as (
  select
    page_view_id,
    domain_sessionid,
    max(derived_tstamp) as end_tstamp,
    {{ var("heartbeat_s") }} * (count(distinct {{ heartbeat_of("dvce_created_tstamp") }}) - 1)
      + {{ var("min_visit_length_s") }} as engaged_time_in_s
  from events
  where event_name = 'page_ping'
  group by page_view_id, domain_sessionid
),

scrolls as (
  select
    page_view_id,
    domain_sessionid,
    max(doc_width) as doc_width,
    max(doc_height) as doc_height,
    max(br_viewwidth) as br_viewwidth,
    max(br_viewheight) as br_viewheight,
    least(greatest(max(coalesce(pp_xoffset_max, 0)), 0), max(doc_width)) as pixels_x,
    least(greatest(max(coalesce(pp_yoffset_max, 0)), 0), max(doc_height)) as pixels_y
  from events
  where event_name in ('page_view', 'page_ping') and doc_width > 0 and doc_height > 0
  group by page_view_id, domain_sessionid
),

numbered as (
  select
    domain_sessionid, event_id,
    row_number() over (
      partition by domain_sessionid order by derived_tstamp nulls last, dvce_created_tstamp nulls last, event_id
    ) as page_view_in_session_index,
    count(*) over (partition by domain_sessionid) as page_views_in_session
  from copies
  where copy_number = 1
)

select
  views.page_view_id, views.event_id, views.app_id, views.platform, views.user_id, views.domain_userid,
  views.person_id, views.stitched_user_id, views.network_userid, views.domain_sessionid, views.domain_sessionidx,
  cast(numbered.page_view_in_session_index as int) as page_view_in_session_index,
  cast(numbered.page_views_in_session as int) as page_views_in_session,
  views.dvce_created_tstamp, views.collector_tstamp, views.derived_tstamp,
  views.derived_tstamp as start_tstamp,
  coalesce(pings.end_tstamp, views.derived_tstamp) as end_tstamp,
  cast(coalesce(pings.engaged_time_in_s, 0) as int) as engaged_time_in_s,
  {{ seconds_between("views.derived_tstamp", "coalesce(pings.end_tstamp, views.derived_tstamp)") }} as absolute_time_in_s,
  scrolls.pixels_x as horizontal_pixels_scrolled,
  scrolls.pixels_y as vertical_pixels_scrolled,
  round(
    100.0 * least(scrolls.pixels_x + scrolls.br_viewwidth, scrolls.doc_width) / cast(scrolls.doc_width as double)
  ) as horizontal_percentage_scrolled,
  round(
    100.0 * least(scrolls.pixels_y + scrolls.br_viewheight, scrolls.doc_height) / cast(scrolls.doc_height as double)
  ) as vertical_percentage_scrolled,
  views.doc_width, views.doc_height, views.content_group,
  {{ fields(page_fields(), "views.") }},
  {{ fields(marketing_fields(), "views.") }},
  views.page_referrer,
  {{ fields(referrer_fields(), "views.") }},
  {{ fields(geo_fields(), "views.") }},
  views.br_lang, views.br_viewwidth, views.br_viewheight, views.br_colordepth,
  {{ fields(device_fields(), "views.") }},
  views.session_week
from numbered
inner join {{ ref("view_events") }} as views
  on views.domain_sessionid = numbered.domain_sessionid and views.event_id = numbered.event_id
left join pings on pings.page_view_id = views.page_view_id and pings.domain_sessionid = views.domain_sessionid
left join scrolls on scrolls.page_view_id = views.page_view_id and scrolls.domain_sessionid = views.domain_sessionid
