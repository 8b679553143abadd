{#- Grain: one cookie that was ever logged in. A cookie belongs to the user who used it last. The person is named after the
    first cookie of the user, so logging in never renames anybody. -#}
with cookies as (
  select domain_userid, min(derived_tstamp) as first_seen_tstamp
  from {{ ref("base_events") }}
  group by domain_userid
),

logins as (
  select
    domain_userid, user_id, derived_tstamp,
    row_number() over (partition by domain_userid order by derived_tstamp desc, event_id desc) as recency
  from {{ ref("base_events") }}
  where user_id is not null
),

mapped as (
  select logins.domain_userid, logins.user_id, logins.derived_tstamp as end_tstamp, cookies.first_seen_tstamp
  from logins
  inner join cookies on cookies.domain_userid = logins.domain_userid
  where logins.recency = 1
)

select
  domain_userid,
  user_id,
  first_value(domain_userid) over (partition by user_id order by first_seen_tstamp, domain_userid) as person_id,
  end_tstamp
from mapped
