{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one event of a visit that is counted now, once, made by no robot. A tracker that sends an event twice is taken at
    its first word. A session has one cookie: the first that was seen in it; and it ends `max_session_days` after it
    began, however long its id is kept. Only what is counted by stands here: what page views and sessions tell beside it
    stands in view_events, for far fewer events. -#}
with events as (
  select
    {{ visit_id() }} as visit_id,
    event_id, event_name, domain_sessionid, domain_userid, user_id,
    collector_tstamp, etl_tstamp, derived_tstamp, dvce_created_tstamp, load_tstamp,
    br_viewwidth, br_viewheight, doc_width, doc_height, pp_xoffset_max, pp_yoffset_max,
    {{ told(var("places").page_view_id) }} as page_view_id
    {%- for conversion in var("conversions") %},
    coalesce({{ conversion.condition }}, false) as is_conversion_{{ loop.index }},
    cast(coalesce({{ conversion.value }}, {{ conversion.default_value }}) as double) as conversion_value_{{ loop.index }}
    {%- endfor %}
  from {{ events_of(ref("touched_days")) }} as events
  where {{ is_counted() }}
),

visits as (
  select distinct visit_id, session_week from {{ ref("touched_days") }}
),

copies as (
  select
    events.*, visits.session_week,
    row_number() over (
      partition by events.visit_id, events.event_id
      order by {{ first_word("events.") }}
    ) as copy_number
  from events
  inner join visits on visits.visit_id = events.visit_id
),

starts as (
  select visit_id, min(collector_tstamp) as visit_start_tstamp
  from copies
  group by visit_id
),

counted as (
  select copies.*
  from copies
  inner join starts on starts.visit_id = copies.visit_id
  where copies.copy_number = 1 and {{ is_within_session() }}
),

cookies as (
  select
    visit_id, domain_userid,
    row_number() over (
      partition by visit_id order by derived_tstamp nulls last, dvce_created_tstamp nulls last, event_id
    ) as place
  from counted
  where domain_userid is not null
)

select
  counted.visit_id, counted.session_week,
  counted.event_id, counted.event_name, counted.domain_sessionid, counted.user_id,
  cookies.domain_userid,
  coalesce(mapping.person_id, cookies.domain_userid) as person_id,
  coalesce(mapping.user_id, cookies.domain_userid) as stitched_user_id,
  mapping.user_id as mapped_user_id,
  counted.collector_tstamp, counted.derived_tstamp, counted.dvce_created_tstamp,
  counted.br_viewwidth, counted.br_viewheight, counted.doc_width, counted.doc_height,
  counted.pp_xoffset_max, counted.pp_yoffset_max,
  counted.page_view_id
  {%- for conversion in var("conversions") %},
  counted.is_conversion_{{ loop.index }}, counted.conversion_value_{{ loop.index }}
  {%- endfor %}
from counted
left join cookies on cookies.visit_id = counted.visit_id and cookies.place = 1
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = cookies.domain_userid
