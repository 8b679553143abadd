{{ config(unique_key="domain_userid", tags=["always"]) }}
{#- Grain: one cookie that was ever logged in. A cookie belongs to the user who used it last. The person is named after the
    first cookie of the user, so logging in never renames anybody. It only grows: late logins never move it back. -#}
with logins as (
  select domain_userid, user_id, derived_tstamp as end_tstamp
  from {{ source("lake", "new_events") }}
  where user_id is not null and domain_userid is not null and {{ is_counted() }}
  {%- if is_incremental() %}
  union all
  select domain_userid, user_id, end_tstamp from {{ this }}
  {%- endif %}
),

ranked as (
  select
    domain_userid, user_id, end_tstamp,
    row_number() over (partition by domain_userid order by end_tstamp desc nulls last, user_id desc) as recency
  from logins
),

cookies as (
  select domain_userid, min(first_tstamp) as first_seen_tstamp
  from {{ ref("visit_days") }}
  where domain_userid in (select domain_userid from logins)
  group by domain_userid
)

select
  ranked.domain_userid,
  ranked.user_id,
  first_value(ranked.domain_userid) over (
    partition by ranked.user_id order by cookies.first_seen_tstamp nulls last, ranked.domain_userid
  ) as person_id,
  ranked.end_tstamp,
  cookies.first_seen_tstamp
from ranked
left join cookies on cookies.domain_userid = ranked.domain_userid
where ranked.recency = 1
