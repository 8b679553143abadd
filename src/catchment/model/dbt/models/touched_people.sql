{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one person whose rows must be made anew: one of their cookies was touched, is told of, or came or went. -#}
-- depends_on: {{ ref("user_traits") }}, {{ ref("users") }}
{% set standing = standing_tables(["people"]) -%}
with touched as (
  select users.person_id
  from {{ ref("users") }} as users
  where users.domain_userid in (select domain_userid from {{ ref("touched_users") }})
  union
  select stood_as from {{ ref("touched_users") }}
  {%- if standing %}
  union
  select coalesce(owned.person_id, stands.person_id) as person_id
  from (
    select
      person_id, count(*) as devices, sum(sessions) as sessions, sum(page_views) as page_views,
      sum(engaged_time_in_s) as engaged_time_in_s
    from {{ ref("users") }}
    group by person_id
  ) as owned
  full outer join {{ standing.people }} as stands on stands.person_id = owned.person_id
  where owned.person_id is null or stands.person_id is null
    or owned.devices <> stands.devices or owned.sessions <> stands.sessions or owned.page_views <> stands.page_views
    or owned.engaged_time_in_s <> stands.engaged_time_in_s
  {%- endif %}
)

select distinct person_id
from touched
where person_id is not null
