{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one touched cookie that has a session: its totals, and which sessions were its first and its last. -#}
with visited as (
  select
    domain_userid, domain_sessionid, session_week, start_tstamp, end_tstamp, page_views, engaged_time_in_s,
    absolute_time_in_s,
    row_number() over (
      partition by domain_userid order by start_tstamp nulls last, domain_sessionid desc
    ) as place,
    row_number() over (
      partition by domain_userid order by end_tstamp desc nulls last, domain_sessionid desc
    ) as place_from_end
  from {{ ref("sessions") }}
  where domain_userid in (select domain_userid from {{ ref("touched_users") }})
)

select
  domain_userid,
  min(start_tstamp) as start_tstamp,
  max(end_tstamp) as end_tstamp,
  cast(count(*) as int) as sessions,
  cast(sum(page_views) as int) as page_views,
  cast(sum(engaged_time_in_s) as int) as engaged_time_in_s,
  cast(sum(absolute_time_in_s) as int) as absolute_time_in_s,
  max(case when place = 1 then domain_sessionid end) as first_sessionid,
  max(case when place = 1 then session_week end) as first_week,
  max(case when place_from_end = 1 then domain_sessionid end) as last_sessionid,
  max(case when place_from_end = 1 then session_week end) as last_week
from visited
group by domain_userid
