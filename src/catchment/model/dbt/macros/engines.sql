{# What DuckDB and Spark spell differently. Models use these and nothing of one engine only. #}

{# Our macro of that name for the engine that runs, or for the one that the variable `sql_of` names, to see its SQL. #}
{% macro engine(name) %}
  {%- set own = var("sql_of", target.type) ~ "__" ~ name -%}
  {{ return(context[own] if own in context else context["default__" ~ name]) }}
{% endmacro %}

{# Seconds since 1970, with fractions. #}
{% macro epoch_seconds(tstamp) %}{{ return(engine("epoch_seconds")(tstamp)) }}{% endmacro %}
{% macro default__epoch_seconds(tstamp) %}cast({{ tstamp }} as double){% endmacro %}
{% macro duckdb__epoch_seconds(tstamp) %}epoch({{ tstamp }}){% endmacro %}

{# A moment, and the same so many seconds earlier. #}
{% macro seconds_before(tstamp, seconds) %}{{ return(engine("seconds_before")(tstamp, seconds)) }}{% endmacro %}
{% macro default__seconds_before(tstamp, seconds) %}{{ tstamp }} - make_interval(0, 0, 0, 0, 0, 0, {{ seconds }}){% endmacro %}
{% macro duckdb__seconds_before(tstamp, seconds) %}{{ tstamp }} - to_seconds({{ seconds }}){% endmacro %}

{# A field of the first entity in a column of entities; null where there is none. #}
{% macro first_entity(column, field) %}{{ return(engine("first_entity")(column, field)) }}{% endmacro %}
{% macro default__first_entity(column, field) %}get({{ column }}, 0).{{ field }}{% endmacro %}
{% macro duckdb__first_entity(column, field) %}{{ column }}[1].{{ field }}{% endmacro %}

{# Whether a text holds a match of a regular expression without backslashes. #}
{% macro matches(text, pattern) %}{{ return(engine("matches")(text, pattern)) }}{% endmacro %}
{% macro default__matches(text, pattern) %}regexp_like({{ text }}, '{{ pattern }}'){% endmacro %}
{% macro duckdb__matches(text, pattern) %}regexp_matches({{ text }}, '{{ pattern }}'){% endmacro %}

{# The values of those of a group that meet a condition, as an array in the order of their events. #}
{% macro in_order(value, condition) %}{{ return(engine("in_order")(value, condition)) }}{% endmacro %}
{% macro default__in_order(value, condition) -%}
  transform(
    array_sort(
      collect_list(
        case when {{ condition }} then struct(derived_tstamp, dvce_created_tstamp, event_id, {{ value }} as told) end
      )
    ),
    x -> x.told
  )
{%- endmacro %}
{% macro duckdb__in_order(value, condition) -%}
  coalesce(
    list({{ value }} order by derived_tstamp, dvce_created_tstamp, event_id) filter (where {{ condition }}), []
  )
{%- endmacro %}

{# The texts of a group in alphabetical order, joined by a comma. #}
{% macro joined(text) %}{{ return(engine("joined")(text)) }}{% endmacro %}
{% macro default__joined(text) %}array_join(array_sort(collect_list({{ text }})), ','){% endmacro %}
{% macro duckdb__joined(text) %}string_agg({{ text }}, ',' order by {{ text }}){% endmacro %}

{# The events of the days that matter now. DuckDB is told the days, by what parts the files too, so that it opens no others. #}
{% macro events_of(days) %}{{ return(engine("events_of")(days)) }}{% endmacro %}
{% macro default__events_of(days) %}{{ source("lake", "events") }}{% endmacro %}
{% macro duckdb__events_of(days) %}
  {%- set known = load_relation(days) if execute and model.resource_type != "unit_test" else none -%}
  {%- if known is none %}{{ source("lake", "events") }}
  {%- else -%}
  {%- set spans = run_query("select first_day, after_day from (" ~ day_spans(days) ~ ") order by first_day").rows -%}
  (
    {% for span in spans %}
    {{ "union all" if not loop.first }}
    select * from {{ source("lake", "events") }}
    where collector_tstamp >= timestamptz '{{ span[0] }} 00:00:00+00'
      and collector_tstamp < timestamptz '{{ span[1] }} 00:00:00+00'
      and collector_date >= date '{{ span[0] }}' and collector_date < date '{{ span[1] }}'
    {% else %}
    select * from {{ source("lake", "events") }} where false
    {% endfor %}
  )
  {%- endif -%}
{% endmacro %}

{# The days in at most eight spans, cut at the widest gaps. #}
{% macro day_spans(days) -%}
  with days as (select distinct event_date as day from {{ days }}),
  gaps as (select day, day - lag(day) over (order by day) as gap from days),
  ranked as (select day, gap, row_number() over (order by gap desc nulls first, day) as wideness from gaps),
  spans as (
    select day, sum(case when gap is null or (gap > 1 and wideness <= 8) then 1 else 0 end) over (order by day) as span
    from ranked
  )
  select min(day) as first_day, max(day) + 1 as after_day from spans group by span
{%- endmacro %}

{# The rows of a table parted by `column` whose part is among those that a query names. DuckDB is told the parts. #}
{% macro rows_of(relation, column, parts) %}{{ return(engine("rows_of")(relation, column, parts)) }}{% endmacro %}
{% macro default__rows_of(relation, column, parts) %}(select * from {{ relation }} where {{ column }} in ({{ parts }})){% endmacro %}
{% macro duckdb__rows_of(relation, column, parts) -%}
  {%- if not execute or model.resource_type == "unit_test" -%}{{ relation }}
  {%- else -%}
  {%- set known = run_query("select distinct p from (" ~ parts ~ ") as parts(p) where p is not null order by p").columns[0].values() -%}
  (
    select * from {{ relation }}
    where {% if known %}{{ column }} in ({% for part in known %}date '{{ part }}'{{ ", " if not loop.last }}{% endfor %}){% else %}false{% endif %}
  )
  {%- endif -%}
{%- endmacro %}

{# A row for each element of an array. #}
{% macro each(list) %}{{ return(engine("each")(list)) }}{% endmacro %}
{% macro default__each(list) %}explode({{ list }}){% endmacro %}
{% macro duckdb__each(list) %}unnest({{ list }}){% endmacro %}

{# The booleans that an object within a JSON text holds by name, as an array of pairs; what is no boolean is null. #}
{% macro flags_in(json, name) %}{{ return(engine("flags_in")(json, name)) }}{% endmacro %}
{% macro default__flags_in(json, name) -%}
  map_entries(from_json({{ json }}, 'struct<{{ name }}:map<string,boolean>>').{{ name }})
{%- endmacro %}
{% macro duckdb__flags_in(json, name) -%}
  map_entries(json_transform({{ json }}, '{"{{ name }}":"map(varchar, boolean)"}').{{ name }})
{%- endmacro %}

{# Name and value of one such pair. Both engines call them so. #}
{% macro key_of(pair) %}{{ pair }}.key{% endmacro %}
{% macro value_of(pair) %}{{ pair }}.value{% endmacro %}

{# A name that is a word of SQL too. #}
{% macro quoted(name) %}{{ return(engine("quoted")(name)) }}{% endmacro %}
{% macro default__quoted(name) %}`{{ name }}`{% endmacro %}
{% macro duckdb__quoted(name) %}"{{ name }}"{% endmacro %}

{# A text with every match of a regular expression replaced. #}
{% macro without(text, pattern, instead="") %}{{ return(engine("without")(text, pattern, instead)) }}{% endmacro %}
{% macro default__without(text, pattern, instead) %}regexp_replace({{ text }}, '{{ pattern }}', '{{ instead }}'){% endmacro %}
{% macro duckdb__without(text, pattern, instead) %}regexp_replace({{ text }}, '{{ pattern }}', '{{ instead }}', 'g'){% endmacro %}

{# The SHA-256 of a text, as 64 hexadecimal digits. #}
{% macro sha256_of(text) %}{{ return(engine("sha256_of")(text)) }}{% endmacro %}
{% macro default__sha256_of(text) %}sha2({{ text }}, 256){% endmacro %}
{% macro duckdb__sha256_of(text) %}sha256({{ text }}){% endmacro %}

{# The id of a group's first event. #}
{% macro first_event(tstamp) %}{{ return(engine("first_event")(tstamp)) }}{% endmacro %}
{% macro default__first_event(tstamp) %}min_by(event_id, struct({{ tstamp }}, event_id)){% endmacro %}
{% macro duckdb__first_event(tstamp) %}arg_min(event_id, row({{ tstamp }}, event_id)){% endmacro %}
