{# What DuckDB and Spark spell differently. Models use these and nothing of one engine only. #}

{# Seconds since 1970, with fractions. #}
{% macro epoch_seconds(tstamp) %}{{ return(adapter.dispatch("epoch_seconds")(tstamp)) }}{% endmacro %}
{% macro default__epoch_seconds(tstamp) %}cast({{ tstamp }} as double){% endmacro %}
{% macro duckdb__epoch_seconds(tstamp) %}epoch({{ tstamp }}){% endmacro %}

{# A field of the first entity in a column of entities. #}
{% macro first_entity(column, field) %}{{ return(adapter.dispatch("first_entity")(column, field)) }}{% endmacro %}
{% macro default__first_entity(column, field) %}{{ column }}[0].{{ field }}{% endmacro %}
{% macro duckdb__first_entity(column, field) %}{{ column }}[1].{{ field }}{% endmacro %}
