{{ config(
  unique_key="domain_sessionid", partition_by="session_week", few_rows=8000,
  scope="domain_sessionid in (select visit_id from touched_days)",
  partitions="select distinct cast(date_trunc('week', event_date) as date) from touched_days"
) }}
{#- Grain: one session that has at least one page view or page ping. It is written after page_views, so that a build that was
    cut off between them is seen by the next (touched_days). -#}
-- depends_on: {{ ref("page_views") }}
with events as (
  select * from {{ ref("base_events") }} where domain_sessionid is not null
),

firsts as (
  select * from {{ ref("view_events") }} where place = 1
),

viewed as (
  select
    domain_sessionid, event_id,
    row_number() over (
      partition by domain_sessionid order by derived_tstamp desc nulls last, dvce_created_tstamp desc nulls last, event_id
    ) as place_from_end
  from {{ ref("view_events") }}
  where event_name = 'page_view'
),

lasts as (
  select views.*
  from {{ ref("view_events") }} as views
  inner join viewed on viewed.domain_sessionid = views.domain_sessionid and viewed.event_id = views.event_id
  where viewed.place_from_end = 1
),

totals as (
  select
    domain_sessionid,
    min(derived_tstamp) as first_tstamp,
    max(derived_tstamp) as end_tstamp,
    min(case when 1 = 0 then derived_tstamp end) as no_tstamp,
    count(*) as total_events,
    count(distinct case when event_name in ('page_view', 'page_ping') then page_view_id end) as page_views,
    sum(case when event_name = 'link_click' then 1 else 0 end) as link_clicks,
    count(distinct case
      when event_name = 'page_ping' and page_view_id is not null
        then concat(page_view_id, '/', cast({{ heartbeat_of("dvce_created_tstamp") }} as string))
    end) as heartbeats,
    count(distinct case when event_name = 'page_ping' then page_view_id end) as pinged_views
    {%- for conversion in var("conversions") %},
    {%- set met = "is_conversion_" ~ loop.index %}
    {%- set worth = "conversion_value_" ~ loop.index %}
    cast(sum(case when {{ met }} then 1 else 0 end) as int) as cv_{{ conversion.name }}_volume,
    {{ in_order("event_id", met) }} as cv_{{ conversion.name }}_events,
    {{ in_order(worth, met) }} as cv_{{ conversion.name }}_values,
    coalesce(sum(case when {{ met }} then {{ worth }} end), 0) as cv_{{ conversion.name }}_total,
    min(case when {{ met }} then derived_tstamp end) as cv_{{ conversion.name }}_first_conversion,
    max(case when {{ met }} then 1 else 0 end) = 1 as cv_{{ conversion.name }}_converted
    {%- endfor %}
  from events
  group by domain_sessionid
),

named as (
  select
    domain_sessionid, concat('"', coalesce(event_name, ''), '":', cast(count(*) as string)) as named_count
  from events
  group by domain_sessionid, event_name
),

counts as (
  select domain_sessionid, concat('{', {{ joined("named_count") }}, '}') as event_counts
  from named
  group by domain_sessionid
),

measured as (
  select
    totals.*,
    {{ var("heartbeat_s") }} * (heartbeats - pinged_views) + {{ var("min_visit_length_s") }} * pinged_views as engaged_time_in_s,
    cast(
      0 {%- for conversion in var("conversions") %} + cv_{{ conversion.name }}_volume {%- endfor %} as int
    ) as conversions,
    cast(
      0 {%- for conversion in var("conversions") %} + cv_{{ conversion.name }}_total {%- endfor %} as double
    ) as conversion_value,
    {% if var("conversions") | length > 1 -%}
    least({% for conversion in var("conversions") %}cv_{{ conversion.name }}_first_conversion{{ ", " if not loop.last }}{% endfor %})
    {%- elif var("conversions") -%}
    cv_{{ var("conversions")[0].name }}_first_conversion
    {%- else -%}
    no_tstamp
    {%- endif %} as first_conversion_tstamp
  from totals
)

select
  firsts.app_id, firsts.platform, firsts.domain_sessionid, firsts.domain_sessionidx,
  case
    when firsts.event_name = 'page_ping' then {{ seconds_before("measured.first_tstamp", var("min_visit_length_s")) }}
    else measured.first_tstamp
  end as start_tstamp,
  measured.end_tstamp,
  firsts.user_id, firsts.domain_userid, firsts.person_id, firsts.stitched_user_id, firsts.network_userid,
  cast(measured.page_views as int) as page_views,
  cast(measured.engaged_time_in_s as int) as engaged_time_in_s,
  counts.event_counts,
  cast(measured.total_events as int) as total_events,
  cast(measured.link_clicks as int) as link_clicks,
  {{ is_engaged() }} as is_engaged,
  {{ seconds_between("measured.first_tstamp", "measured.end_tstamp") }}
    + case when firsts.event_name = 'page_ping' then {{ var("min_visit_length_s") }} else 0 end as absolute_time_in_s,
  {% for name in page_fields() -%}
  firsts.{{ name }} as first_{{ name }},
  case when lasts.page_url is null then firsts.{{ name }} else lasts.{{ name }} end as last_{{ name }},
  {% endfor -%}
  firsts.page_referrer as referrer,
  {{ fields(referrer_fields(), "firsts.") }},
  {{ fields(marketing_fields(), "firsts.") }},
  {{ fields(geo_fields(), "firsts.") }},
  countries.country_name as geo_country_name, countries.continent as geo_continent,
  {% set last_country = "case when lasts.geo_country is null then firsts.{0} else lasts.{0} end" -%}
  {{ last_country.format("geo_country") }} as last_geo_country,
  {{ last_country.format("geo_region_name") }} as last_geo_region_name,
  {{ last_country.format("geo_city") }} as last_geo_city,
  last_countries.country_name as last_geo_country_name, last_countries.continent as last_geo_continent,
  firsts.br_lang, languages.language_name as br_lang_name,
  coalesce(lasts.br_lang, firsts.br_lang) as last_br_lang, last_languages.language_name as last_br_lang_name,
  {{ fields(device_fields(), "firsts.") }},
  {% for conversion in var("conversions") -%}
  {% for part in ["volume", "events", "values", "total", "first_conversion", "converted"] -%}
  measured.cv_{{ conversion.name }}_{{ part }},
  {% endfor -%}
  {% endfor -%}
  measured.conversions as cv__all_volume, measured.conversion_value as cv__all_total,
  measured.conversions, measured.conversion_value, measured.first_conversion_tstamp,
  firsts.session_week
from firsts
inner join measured on measured.domain_sessionid = firsts.domain_sessionid
inner join counts on counts.domain_sessionid = firsts.domain_sessionid
left join lasts on lasts.domain_sessionid = firsts.domain_sessionid
left join {{ ref("countries") }} as countries on countries.country = lower(firsts.geo_country)
left join {{ ref("countries") }} as last_countries
  on last_countries.country = lower({{ last_country.format("geo_country") }})
left join {{ ref("languages") }} as languages on languages.language = lower(firsts.br_lang)
left join {{ ref("languages") }} as last_languages
  on last_languages.language = lower(coalesce(lasts.br_lang, firsts.br_lang))
