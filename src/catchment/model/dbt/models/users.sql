{{ config(
  unique_key="domain_userid", partition_by="last_week", few_rows=1000, is_kept=true,
  scope="domain_userid in (select domain_userid from touched_users)"
) }}
{#- Grain: one cookie. Firsts come from its first session, lasts from its last. Files are parted by when a cookie was last
    seen, so those of cookies that never come again are never rewritten. What is known of a first or last session that is the
    same as before and was not counted anew is taken from the row that stands, so that no file of sessions is opened for it. -#}
-- depends_on: {{ ref("touched_days") }}
{%- set standing = standing_rows() -%}
{%- set firsts = {
  "person_id": "person_id", "user_id": "user_id", "stitched_user_id": "stitched_user_id", "network_userid": "network_userid",
  "geo_timezone": "geo_timezone", "br_lang": "first_br_lang", "br_lang_name": "first_br_lang_name", "referrer": "referrer",
  "device_category": "device_category", "os_family": "os_family", "useragent_family": "useragent_family",
} -%}
{%- set lasts = {"last_br_lang": "last_br_lang", "last_br_lang_name": "last_br_lang_name"} -%}
{%- for name in referrer_fields() + marketing_fields() %}{% do firsts.update({name: name}) %}{% endfor -%}
{%- for name in page_fields() %}
  {%- do firsts.update({"first_" ~ name: "first_" ~ name}) %}{% do lasts.update({"last_" ~ name: "last_" ~ name}) -%}
{%- endfor -%}
{%- for name in country_fields() %}
  {%- do firsts.update({name: "first_" ~ name}) %}{% do lasts.update({"last_" ~ name: "last_" ~ name}) -%}
{%- endfor -%}
{%- set read_anew -%}
  {%- for edge in ["first", "last"] %}
  select '{{ edge }}' as edge, totals.{{ edge }}_sessionid as domain_sessionid, totals.{{ edge }}_week as session_week
  from {{ ref("user_totals") }} as totals
  {%- if standing %}
  left join {{ standing }} as stands
    on stands.domain_userid = totals.domain_userid and stands.{{ edge }}_domain_sessionid = totals.{{ edge }}_sessionid
  where stands.domain_userid is null or totals.{{ edge }}_sessionid in (select visit_id from {{ ref("touched_days") }})
  {%- endif %}
  {{ "union all" if not loop.last }}
  {%- endfor %}
{%- endset %}
with read_anew as ({{ read_anew }}),

edges as (
  select read_anew.edge, sessions.*
  from {{ rows_of(ref("sessions"), "session_week", "select session_week from (" ~ read_anew ~ ") as parts") }} as sessions
  inner join read_anew on read_anew.domain_sessionid = sessions.domain_sessionid
)
{%- for edge, taken in [("first", firsts), ("last", lasts)] %},

{{ edge }}s as (
  select domain_sessionid {%- for source, name in taken.items() %}, {{ source }} as {{ name }}{% endfor %}
  from edges
  where edge = '{{ edge }}'
  {%- if standing %}
  union all
  select {{ edge }}_domain_sessionid, {{ fields(taken.values() | list) }}
  from {{ standing }}
  where {{ edge }}_domain_sessionid not in (select domain_sessionid from read_anew where edge = '{{ edge }}')
  {%- endif %}
)
{%- endfor %}

select
  totals.domain_userid,
  firsts.person_id, firsts.user_id, firsts.stitched_user_id, firsts.network_userid,
  totals.start_tstamp, totals.end_tstamp,
  totals.page_views, totals.sessions, totals.engaged_time_in_s, totals.absolute_time_in_s,
  {% for name in page_fields() -%}
  firsts.first_{{ name }}, lasts.last_{{ name }},
  {% endfor -%}
  {% for name in country_fields() -%}
  firsts.first_{{ name }}, lasts.last_{{ name }},
  {% endfor -%}
  firsts.first_br_lang, firsts.first_br_lang_name,
  lasts.last_br_lang, lasts.last_br_lang_name,
  firsts.referrer,
  {{ fields(referrer_fields(), "firsts.") }},
  {{ fields(marketing_fields(), "firsts.") }},
  firsts.device_category, firsts.os_family, firsts.useragent_family, firsts.geo_timezone,
  totals.first_sessionid as first_domain_sessionid, totals.last_sessionid as last_domain_sessionid,
  totals.first_week, totals.last_week
from {{ ref("user_totals") }} as totals
inner join firsts on firsts.domain_sessionid = totals.first_sessionid
inner join lasts on lasts.domain_sessionid = totals.last_sessionid
