{#- Grain: one session that has at least one page view or page ping. -#}
with events as (
  select * from {{ ref("base_events") }} where domain_sessionid is not null
),

firsts as (
  select
    *,
    row_number() over (
      partition by domain_sessionid order by derived_tstamp, dvce_created_tstamp, event_id
    ) as place
  from events
  where event_name in ('page_view', 'page_ping') and page_view_id is not null
),

lasts as (
  select
    domain_sessionid, {{ fields(page_fields()) }},
    row_number() over (
      partition by domain_sessionid order by derived_tstamp desc, dvce_created_tstamp desc, event_id
    ) as place
  from events
  where event_name = 'page_view' and page_view_id is not null
),

totals as (
  select
    domain_sessionid,
    min(derived_tstamp) as start_tstamp,
    max(derived_tstamp) as end_tstamp,
    max(user_id) as user_id,
    count(*) as total_events,
    count(distinct case when event_name in ('page_view', 'page_ping') then page_view_id end) as page_views,
    sum(case when event_name = 'link_click' then 1 else 0 end) as link_clicks,
    count(distinct case
      when event_name = 'page_ping' and page_view_id is not null
        then concat(page_view_id, '/', cast({{ heartbeat_of("dvce_created_tstamp") }} as {{ dbt.type_string() }}))
    end) as heartbeats,
    count(distinct case when event_name = 'page_ping' then page_view_id end) as pinged_views
  from events
  group by domain_sessionid
),

converted as (
  select domain_sessionid, count(*) as conversions, sum(cv_value) as conversion_value, min(cv_tstamp) as first_conversion_tstamp
  from {{ ref("conversions") }}
  group by domain_sessionid
),

measured as (
  select
    totals.*,
    {{ var("heartbeat_s") }} * (heartbeats - pinged_views) + {{ var("min_visit_length_s") }} * pinged_views as engaged_time_in_s
  from totals
)

select
  firsts.domain_sessionid, firsts.domain_sessionidx, firsts.app_id, firsts.domain_userid,
  coalesce(mapping.person_id, firsts.domain_userid) as person_id,
  measured.user_id,
  coalesce(mapping.user_id, firsts.domain_userid) as stitched_user_id,
  firsts.network_userid,
  measured.start_tstamp, measured.end_tstamp,
  cast(measured.page_views as int) as page_views,
  cast(measured.link_clicks as int) as link_clicks,
  cast(measured.total_events as int) as total_events,
  cast(measured.engaged_time_in_s as int) as engaged_time_in_s,
  {{ seconds_between("measured.start_tstamp", "measured.end_tstamp") }}
    + case when firsts.event_name = 'page_ping' then {{ var("min_visit_length_s") }} else 0 end as absolute_time_in_s,
  (
    measured.page_views >= 2
    or measured.engaged_time_in_s >= 2 * {{ var("heartbeat_s") }}
    or coalesce(converted.conversions, 0) > 0
  ) as is_engaged,
  {% for name in page_fields() -%}
  firsts.{{ name }} as first_{{ name }}, coalesce(lasts.{{ name }}, firsts.{{ name }}) as last_{{ name }},
  {% endfor -%}
  {{ fields(source_fields(), "firsts.") }},
  {{ fields(visitor_fields(), "firsts.") }},
  cast(coalesce(converted.conversions, 0) as int) as conversions,
  coalesce(converted.conversion_value, 0) as conversion_value,
  converted.first_conversion_tstamp
from firsts
inner join measured on measured.domain_sessionid = firsts.domain_sessionid
left join lasts on lasts.domain_sessionid = firsts.domain_sessionid and lasts.place = 1
left join converted on converted.domain_sessionid = firsts.domain_sessionid
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = firsts.domain_userid
where firsts.place = 1
