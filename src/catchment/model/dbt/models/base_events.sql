{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one event of a visit that is counted now, once, made by no robot. A tracker that sends an event twice is taken at
    its first word. A session has one cookie: the first that was seen in it; and it ends `max_session_days` after it
    began, however long its id is kept. -#}
with events as (
  select *, {{ visit_id() }} as visit_id
  from {{ events_of(ref("touched_days")) }} as events
  where {{ is_counted() }}
),

visits as (
  select distinct visit_id, session_week from {{ ref("touched_days") }}
),

copies as (
  select
    events.*,
    visits.session_week,
    min(events.collector_tstamp) over (partition by events.visit_id) as visit_start_tstamp,
    row_number() over (
      partition by events.visit_id, events.event_id
      order by events.collector_tstamp nulls last, events.etl_tstamp nulls last, events.derived_tstamp nulls last,
        events.dvce_created_tstamp nulls last, events.load_tstamp nulls last
    ) as copy_number
  from events
  inner join visits on visits.visit_id = events.visit_id
),

told as (
  select
    visit_id, session_week,
    event_id, event_name, app_id, platform, user_id, network_userid, domain_sessionid, domain_sessionidx,
    first_value(domain_userid) over (
      partition by visit_id
      order by case when domain_userid is null then 1 else 0 end, derived_tstamp nulls last, dvce_created_tstamp nulls last,
        event_id
      rows between unbounded preceding and unbounded following
    ) as domain_userid,
    collector_tstamp, derived_tstamp, dvce_created_tstamp,
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
    cast(dvce_screenwidth as string) || 'x' || cast(dvce_screenheight as string)
      as screen_resolution,
    br_viewwidth, br_viewheight, doc_width, doc_height, pp_xoffset_max, pp_yoffset_max,
    {{ told(var("places").page_view_id) }} as page_view_id
    {%- for name in entity_fields() %},
    {{ told(var("places")[name]) }} as {{ name }}
    {%- endfor %}
    {%- for conversion in var("conversions") %},
    coalesce({{ conversion.condition }}, false) as is_conversion_{{ loop.index }},
    cast(coalesce({{ conversion.value }}, {{ conversion.default_value }}) as double) as conversion_value_{{ loop.index }}
    {%- endfor %}
  from copies
  where copy_number = 1 and {{ is_within_session() }}
)

select
  told.*,
  {{ content_group() }} as content_group,
  {{ device_category() }} as device_category,
  {{ channel_group() }} as default_channel_group,
  coalesce(mapping.person_id, told.domain_userid) as person_id,
  coalesce(mapping.user_id, told.domain_userid) as stitched_user_id,
  mapping.user_id as mapped_user_id
from told
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = told.domain_userid
left join {{ ref("source_categories") }} as categories on categories.source = told.source_name
