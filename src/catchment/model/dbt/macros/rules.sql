{# What an event tells: a column, or a field of the first entity in a column of entities. #}
{% macro told(place) -%}
  {%- if place.field -%}{{ first_entity(place.column, place.field) }}{%- else -%}{{ place.column }}{%- endif -%}
{%- endmacro %}

{# Whole seconds between two moments, counted as boundaries of a second that are crossed. #}
{% macro seconds_between(earlier, later) -%}
  cast(floor({{ epoch_seconds(later) }}) - floor({{ epoch_seconds(earlier) }}) as int)
{%- endmacro %}

{# Which heartbeat a ping belongs to, by the device's own clock: network delays must not move it. #}
{% macro heartbeat_of(tstamp) -%}
  cast(floor({{ epoch_seconds(tstamp) }} / {{ var("heartbeat_s") }}) as bigint)
{%- endmacro %}

{# Monday is 0. 1970-01-01 was a Thursday. #}
{% macro weekday(tstamp) -%}
  cast((cast(floor({{ epoch_seconds(tstamp) }} / 86400) as bigint) + 3) % 7 as int)
{%- endmacro %}

{% macro is_bot() -%}
  (coalesce(br_type, '') = 'Robot'
    or lower(coalesce(useragent, '')) like '%bot%'
    or lower(coalesce(useragent, '')) like '%crawl%'
    or lower(coalesce(useragent, '')) like '%spider%'
    or lower(coalesce(useragent, '')) like '%headless%')
{%- endmacro %}

{# The channel a visit came by: what the link says, then where it stood. #}
{% macro channel_group() -%}
  case
    when lower(mkt_medium) in ('cpc', 'ppc', 'sem', 'paidsearch', 'paid_search', 'paid-search') then 'Paid Search'
    when lower(mkt_medium) in ('paid_social', 'paidsocial', 'paid-social', 'social_paid') then 'Paid Social'
    when lower(mkt_medium) in ('display', 'banner', 'cpm', 'expandable', 'interstitial') then 'Display'
    when lower(mkt_medium) in ('email', 'e-mail', 'e_mail', 'newsletter') then 'Email'
    when lower(mkt_medium) in ('affiliate', 'affiliates') then 'Affiliates'
    when lower(mkt_medium) in ('social', 'sm', 'social-media', 'organic_social') then 'Organic Social'
    when lower(mkt_medium) = 'organic' then 'Organic Search'
    when lower(mkt_medium) in ('referral', 'link') then 'Referral'
    when mkt_medium is not null then 'Other'
    when mkt_clickid is not null then 'Paid Search'
    when refr_medium = 'search' then 'Organic Search'
    when refr_medium = 'social' then 'Organic Social'
    when refr_medium = 'email' then 'Email'
    when refr_medium = 'chatbot' then 'AI Assistant'
    when refr_medium = 'unknown' then 'Referral'
    else 'Direct'
  end
{%- endmacro %}

{% macro fields(names, prefix="") -%}
  {%- for name in names -%}{{ prefix }}{{ name }}{{ ", " if not loop.last }}{%- endfor -%}
{%- endmacro %}

{% macro page_fields() -%}
  {{ return(["page_title", "page_url", "page_urlscheme", "page_urlhost", "page_urlpath", "page_urlquery", "page_urlfragment"]) }}
{%- endmacro %}

{% macro source_fields() -%}
  {{ return([
    "page_referrer", "refr_urlhost", "refr_urlpath", "refr_medium", "refr_source", "refr_term",
    "mkt_medium", "mkt_source", "mkt_term", "mkt_content", "mkt_campaign", "mkt_clickid", "mkt_network",
    "default_channel_group",
  ]) }}
{%- endmacro %}

{% macro visitor_fields() -%}
  {{ return([
    "geo_country", "geo_region", "geo_region_name", "geo_city", "geo_timezone", "br_lang", "useragent",
    "useragent_family", "os_family", "device_category",
  ]) }}
{%- endmacro %}
