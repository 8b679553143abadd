{# The business rules. A project overrides one by a macro of the same name in its folder `macros`. #}

{# What an event tells: a column, or a field of the first entity in a column of entities. #}
{% macro told(place) -%}
  {%- if place.field -%}{{ first_entity(place.column, place.field) }}{%- else -%}{{ place.column }}{%- endif -%}
{%- endmacro %}

{# Whole seconds between two moments, counted as boundaries of a second that are crossed. Every duration uses this rule. #}
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

{# The Monday of a day's week: what the files of large tables are parted by. #}
{% macro week_of(day) %}cast(date_trunc('week', {{ day }}) as date){% endmacro %}

{# What holds the events that are counted together: a session, or an event that belongs to none. #}
{% macro visit_id() %}coalesce(domain_sessionid, event_id){% endmacro %}

{# Sent by a robot. Nobody is taken for one for want of a user agent: trackers on servers send none. #}
{% macro is_bot() -%}
  (coalesce(br_type, '') = 'Robot'
    {%- set mark = told(var("places").spider_or_robot) %}
    or coalesce({{ mark }}, false)
    or {{ matches("lower(coalesce(useragent, ''))", var("bot_pattern")) }})
{%- endmacro %}

{# Sent so long after it happened that it is no longer counted; an event that does not say when is counted. #}
{% macro is_too_late() -%}
  coalesce(
    {{ epoch_seconds("dvce_sent_tstamp") }} - {{ epoch_seconds("dvce_created_tstamp") }}
      > {{ var("days_late_allowed") }} * 86400.0,
    false
  )
{%- endmacro %}

{% macro is_counted() %}not {{ is_bot() }} and not {{ is_too_late() }}{% endmacro %}

{# The order in which copies of an event came: of those the first is taken. #}
{% macro first_word(prefix) -%}
  {%- for name in ["collector_tstamp", "etl_tstamp", "derived_tstamp", "dvce_created_tstamp", "load_tstamp"] -%}
  {{ prefix }}{{ name }} nulls last{{ ", " if not loop.last }}
  {%- endfor -%}
{%- endmacro %}

{# A session id may be kept for ever (by a robot, or a copied cookie): what comes too long after its start is left out. #}
{% macro is_within_session() -%}
  (domain_sessionid is null
    or {{ epoch_seconds("collector_tstamp") }} - {{ epoch_seconds("visit_start_tstamp") }}
      <= {{ var("max_session_days") }} * 86400.0)
{%- endmacro %}

{# What kind of page it is; first match wins. #}
{% macro content_group() -%}
  case
    when page_url like '%/product%' then 'PDP'
    when page_url like '%/list%' then 'PLP'
    when page_url like '%/checkout%' then 'checkout'
    when page_url like '%/home%' then 'homepage'
    else 'other'
  end
{%- endmacro %}

{# The kind of device: by YAUAA where it is told, else by the user agent. #}
{% macro device_category() -%}
  case
    when device_class is not null then
      case device_class when 'Desktop' then 'Desktop' when 'Phone' then 'Mobile' when 'Tablet' then 'Tablet' else 'Other' end
    else case dvce_type
      when 'Computer' then 'Desktop' when 'Mobile' then 'Mobile' when 'Tablet' then 'Tablet' else 'Other'
    end
  end
{%- endmacro %}

{# The channel that brought somebody (GA4's default channel groups): what the link says, then by which click it came, then
   where the link stood. Reads `source_name`, `medium`, `campaign` (trimmed, lower case, '' for none) and `source_category`. #}
{% macro channel_group() -%}
  case
    when source_name in ('(direct)', 'direct') and medium in ('(not set)', '(none)', 'not set', 'none') then 'Direct'
    when medium like '%cross-network%' then 'Cross-network'
    when medium like '%cp%' or medium in ('ppc', 'retargeting') or medium like 'paid%' then
      case
        when source_category = 'shopping' or {{ matches("campaign", "^(.*(([^a-df-z]|^)shop|shopping).*)$") }} then 'Paid Shopping'
        when coalesce(source_category, refr_medium) = 'search' or medium in ('paidsearch', 'paid_search', 'paid-search')
          then 'Paid Search'
        when coalesce(source_category, refr_medium) = 'social' or medium in ('paidsocial', 'paid_social', 'paid-social')
          then 'Paid Social'
        when source_category = 'video' or medium in ('paidvideo', 'paid_video', 'paid-video') then 'Paid Video'
        when medium = 'cpm' then 'Display'
        else 'Paid Other'
      end
    when medium in ('display', 'banner', 'expandable', 'interstitial') then 'Display'
    when source_category = 'shopping' or {{ matches("campaign", "^(.*(([^a-df-z]|^)shop|shopping).*)$") }} then 'Organic Shopping'
    when source_category = 'social'
      or medium in ('social', 'social-network', 'social-media', 'sm', 'social network', 'social media', 'organic_social')
      then 'Organic Social'
    when source_category = 'video' or medium like '%video%' then 'Organic Video'
    when source_category = 'search' or medium = 'organic' then 'Organic Search'
    when medium in ('referral', 'app', 'link') then 'Referral'
    when source_name in ('email', 'e-mail', 'e_mail', 'e mail') or medium in ('email', 'e-mail', 'e_mail', 'e mail', 'newsletter')
      then 'Email'
    when medium in ('affiliate', 'affiliates') then 'Affiliates'
    when medium = 'audio' then 'Audio'
    when source_name = 'sms' or medium = 'sms' then 'SMS'
    when medium like '%push' or medium like '%mobile%' or medium like '%notification%' or source_name = 'firebase'
      then 'Mobile Push Notifications'
    when source_name <> '' or medium <> '' or campaign <> '' then 'Unassigned'
    when mkt_clickid is not null then
      case
        when mkt_network in ('Google', 'Microsoft', 'Bing', 'Yandex') then 'Paid Search'
        when mkt_network in ('Facebook', 'Meta', 'LinkedIn', 'TikTok', 'Twitter', 'X', 'Pinterest', 'Snapchat', 'Reddit')
          then 'Paid Social'
        when mkt_network = 'DoubleClick' then 'Display'
        else 'Paid Other'
      end
    when refr_medium = 'search' then 'Organic Search'
    when refr_medium = 'social' then 'Organic Social'
    when refr_medium = 'email' then 'Email'
    when refr_medium = 'chatbot' then 'AI Assistant'
    when refr_medium = 'paid' then 'Paid Other'
    when refr_medium = 'internal' or refr_urlhost = page_urlhost then 'Direct'
    when refr_medium is not null or refr_urlhost is not null then 'Referral'
    else 'Direct'
  end
{%- endmacro %}

{# Engaged: a second page, two heartbeats, or a conversion. #}
{% macro is_engaged() -%}
  (page_views >= 2 or engaged_time_in_s >= 2 * {{ var("heartbeat_s") }} or conversions > 0)
{%- endmacro %}
