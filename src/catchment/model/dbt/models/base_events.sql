{{ config(materialized="table") }}
{#- Grain: one event, once, made by no bot. A tracker that sends an event twice is taken at its first word. -#}
with events as (
  select
    *,
    row_number() over (
      partition by event_id
      order by collector_tstamp, etl_tstamp, load_tstamp, derived_tstamp, dvce_created_tstamp
    ) as copy_number
  from {{ source("lake", "events") }}
)

select
  event_id, event_name, app_id, user_id, domain_userid, domain_sessionid, domain_sessionidx, network_userid,
  collector_tstamp, derived_tstamp, dvce_created_tstamp,
  {{ fields(page_fields()) }},
  page_referrer, refr_urlhost, refr_urlpath, refr_medium, refr_source, refr_term,
  mkt_medium, mkt_source, mkt_term, mkt_content, mkt_campaign, mkt_clickid, mkt_network,
  {{ channel_group() }} as default_channel_group,
  geo_country, geo_region, geo_region_name, geo_city, geo_timezone, br_lang, useragent,
  br_family as useragent_family,
  os_family,
  case dvce_type
    when 'Computer' then 'Desktop' when 'Mobile' then 'Mobile' when 'Tablet' then 'Tablet' else 'Other'
  end as device_category,
  br_viewwidth, br_viewheight, doc_width, doc_height, pp_xoffset_max, pp_yoffset_max,
  {{ told(var("page_view_id")) }} as page_view_id
  {%- for conversion in var("conversions") %},
  coalesce({{ conversion.condition }}, false) as is_conversion_{{ loop.index }},
  cast(coalesce({{ conversion.value }}, {{ conversion.default_value }}) as double) as conversion_value_{{ loop.index }}
  {%- endfor %}
  {%- for name, trait in var("traits").items() %},
  {{ told(trait) }} as trait_{{ name }}
  {%- endfor %}
from events
where copy_number = 1 and domain_userid is not null and not {{ is_bot() }}
