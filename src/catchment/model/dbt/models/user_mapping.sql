{{ config(
  unique_key="domain_userid", is_kept=true, tags=["always"],
  scope="domain_userid in (select value from identity_touched where kind = 'domain_userid')"
) }}
{#- Grain: one cookie whose person is known by a user, or by another name than the cookie's own. Who they are is found in
    identity_news; the person is named after the first cookie they were seen with, so logging in never renames anybody. What new
    events concern are whole clusters, so what is asked of a person is asked of all their identifiers. -#}
-- depends_on: {{ ref("identity_news") }}
with logins as (
  select value_a as user_id, value_b as domain_userid, max(last_seen_tstamp) as end_tstamp
  from {{ source("lake", "identity_touched_edges") }}
  where kind_a = 'user_id' and kind_b = 'domain_userid'
  group by value_a, value_b
),

last_logins as (
  select user_id, max(end_tstamp) as end_tstamp from logins group by user_id
),

users as (
  select
    identifiers.person_id, identifiers.value as user_id,
    row_number() over (
      partition by identifiers.person_id order by last_logins.end_tstamp desc nulls last, identifiers.value desc
    ) as recency
  from {{ source("lake", "identity_touched") }} as identifiers
  left join last_logins on last_logins.user_id = identifiers.value
  where identifiers.kind = 'user_id'
)

select
  cookies.value as domain_userid,
  users.user_id,
  cookies.person_id,
  logins.end_tstamp,
  cookies.first_seen_tstamp
from {{ source("lake", "identity_touched") }} as cookies
left join users on users.person_id = cookies.person_id and users.recency = 1
left join logins on logins.domain_userid = cookies.value and logins.user_id = users.user_id
where cookies.kind = 'domain_userid' and (users.user_id is not null or cookies.person_id <> cookies.value)
