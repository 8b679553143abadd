{# Lists of columns that several tables have. #}
{% macro fields(names, prefix="") -%}
  {%- for name in names -%}{{ prefix }}{{ name }}{{ ", " if not loop.last }}{%- endfor -%}
{%- endmacro %}

{% macro page_fields() -%}
  {{ return(["page_title", "page_url", "page_urlscheme", "page_urlhost", "page_urlpath", "page_urlquery", "page_urlfragment"]) }}
{%- endmacro %}

{% macro referrer_fields() -%}
  {{ return([
    "refr_urlscheme", "refr_urlhost", "refr_urlpath", "refr_urlquery", "refr_urlfragment", "refr_medium", "refr_source",
    "refr_term",
  ]) }}
{%- endmacro %}

{% macro marketing_fields() -%}
  {{ return([
    "mkt_medium", "mkt_source", "mkt_term", "mkt_content", "mkt_campaign", "mkt_clickid", "mkt_network",
    "mkt_source_platform", "default_channel_group",
  ]) }}
{%- endmacro %}

{% macro geo_fields() -%}
  {{ return([
    "geo_country", "geo_region", "geo_region_name", "geo_city", "geo_zipcode", "geo_latitude", "geo_longitude",
    "geo_timezone",
  ]) }}
{%- endmacro %}

{# Of the IAB, UA parser and YAUAA entities: null where the enrichment does not run. #}
{% macro entity_fields() -%}
  {{ return([
    "category", "primary_impact", "reason", "spider_or_robot",
    "useragent_major", "useragent_minor", "useragent_patch", "useragent_version",
    "os_major", "os_minor", "os_patch", "os_patch_minor", "os_version", "device_family",
    "device_class", "agent_class", "agent_name", "agent_name_version", "agent_name_version_major", "agent_version",
    "agent_version_major", "device_brand", "device_name", "device_version", "layout_engine_class", "layout_engine_name",
    "layout_engine_name_version", "layout_engine_name_version_major", "layout_engine_version",
    "layout_engine_version_major", "operating_system_class", "operating_system_name", "operating_system_name_version",
    "operating_system_version",
  ]) }}
{%- endmacro %}

{% macro device_fields() -%}
  {{ return(
    ["user_ipaddress", "useragent", "br_renderengine", "os_timezone", "useragent_family", "os_family", "device_category",
     "screen_resolution"] + entity_fields()
  ) }}
{%- endmacro %}

{% macro country_fields() -%}
  {{ return(["geo_country", "geo_country_name", "geo_continent", "geo_region_name", "geo_city"]) }}
{%- endmacro %}
