-- One company: how many of its people came, and how much attention they paid.
select
  company,
  count(*) as people,
  sum(sessions) as sessions,
  sum(engaged_time_in_s) as engaged_time_in_s,
  max(last_seen_tstamp) as last_seen_tstamp,
  sum(conversions) as conversions
from {{ ref("people") }}
where company is not null
group by company
