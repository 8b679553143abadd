{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one page view, or the ping with which a session begins: the events that tell of page, source, device and place. -#}
with placed as (
  select
    visit_id, session_week, event_id, event_name, domain_sessionid, domain_userid, user_id, person_id, stitched_user_id,
    collector_tstamp, derived_tstamp, dvce_created_tstamp, page_view_id,
    br_viewwidth, br_viewheight, doc_width, doc_height,
    row_number() over (
      partition by domain_sessionid order by derived_tstamp nulls last, dvce_created_tstamp nulls last, event_id
    ) as place
  from {{ ref("base_events") }}
  where event_name in ('page_view', 'page_ping') and domain_sessionid is not null and page_view_id is not null
),

views as (
  select * from placed where event_name = 'page_view' or place = 1
),

events as (
  select *, {{ visit_id() }} as visit_id
  from {{ events_of(ref("touched_days")) }} as events
  where {{ is_counted() }}
),

copies as (
  select
    views.*,
    app_id, platform, network_userid, domain_sessionidx,
    {{ fields(page_fields()) }},
    page_referrer, {{ fields(referrer_fields()) }},
    mkt_medium, mkt_source, mkt_term, mkt_content, mkt_campaign, mkt_clickid, mkt_network,
    nullif(regexp_extract(page_urlquery, '(^|&)utm_source_platform=([^&]*)', 2), '') as mkt_source_platform,
    lower(trim(coalesce(mkt_source, ''))) as source_name,
    lower(trim(coalesce(mkt_medium, ''))) as medium,
    lower(trim(coalesce(mkt_campaign, ''))) as campaign,
    {{ fields(geo_fields()) }},
    user_ipaddress, useragent, br_renderengine, br_lang, br_colordepth, os_timezone, dvce_type,
    coalesce({{ told(var("places").useragent_family) }}, br_family) as useragent_family,
    coalesce({{ told(var("places").entity_os_family) }}, os_family) as os_family,
    cast(dvce_screenwidth as string) || 'x' || cast(dvce_screenheight as string) as screen_resolution
    {%- for name in entity_fields() %},
    {{ told(var("places")[name]) }} as {{ name }}
    {%- endfor %},
    row_number() over (
      partition by views.visit_id, views.event_id
      order by {{ first_word("events.") }}
    ) as copy_number
  from events
  inner join views on views.visit_id = events.visit_id and views.event_id = events.event_id
),

told as (
  select * from copies where copy_number = 1
)

select
  told.*,
  {{ content_group() }} as content_group,
  {{ device_category() }} as device_category,
  {{ channel_group() }} as default_channel_group
from told
left join {{ ref("source_categories") }} as categories on categories.source = told.source_name
