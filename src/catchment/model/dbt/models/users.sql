{#- Grain: one cookie. Firsts come from its first session, lasts from its last. -#}
with ordered as (
  select
    *,
    row_number() over (partition by domain_userid order by start_tstamp, domain_sessionid) as place,
    row_number() over (partition by domain_userid order by start_tstamp desc, domain_sessionid desc) as place_from_end
  from {{ ref("sessions") }}
),

totals as (
  select
    domain_userid,
    min(start_tstamp) as start_tstamp,
    max(end_tstamp) as end_tstamp,
    count(*) as sessions,
    sum(page_views) as page_views,
    sum(engaged_time_in_s) as engaged_time_in_s,
    sum(absolute_time_in_s) as absolute_time_in_s
  from {{ ref("sessions") }}
  group by domain_userid
)

select
  firsts.domain_userid, firsts.person_id, mapping.user_id, firsts.network_userid,
  totals.start_tstamp, totals.end_tstamp,
  cast(totals.sessions as int) as sessions,
  cast(totals.page_views as int) as page_views,
  cast(totals.engaged_time_in_s as int) as engaged_time_in_s,
  cast(totals.absolute_time_in_s as int) as absolute_time_in_s,
  {% for name in page_fields() -%}
  firsts.first_{{ name }}, lasts.last_{{ name }},
  {% endfor -%}
  {{ fields(source_fields(), "firsts.") }},
  {{ fields(visitor_fields(), "firsts.") }}
from ordered as firsts
inner join ordered as lasts on lasts.domain_userid = firsts.domain_userid and lasts.place_from_end = 1
inner join totals on totals.domain_userid = firsts.domain_userid
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = firsts.domain_userid
where firsts.place = 1
