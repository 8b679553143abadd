{# A model becomes a Delta table of the lake in one commit; the plugin `lake` of the profile writes it.

   Without `unique_key` all its rows are replaced. With one, and while the table stands, only rows that differ are merged:
     scope       which standing rows the model speaks for (SQL over its columns); of those, what it no longer gives is removed.
                 By `column in (select ...)` they are found with an index, any other condition is asked of all rows
     partition_by, partitions   the column that parts its files, and a query for the values that a merge may touch
     few_rows    how many rows of a part stand in one file at least, where that is not what the lake thinks few
     is_kept     the rows that were made stay at hand for the models after it (made_now) #}
{% materialization delta, adapter="duckdb" %}
  {%- set target = this.incorporate(type="view") -%}
  {%- set built = this.incorporate(path={"identifier": this.identifier ~ "__built"}, type="table") -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement("main") -%}
    create or replace table {{ built }} as (
      {{ sql }}
    )
  {%- endcall %}
  {% do adapter.commit() %}
  {%- set unique_key = config.get("unique_key") or [] -%}
  {%- set merged = is_incremental() -%}
  {% do adapter.store_relation("lake", target, [], "", "delta", {
    "built": built.identifier,
    "unique_key": [unique_key] if unique_key is string else unique_key,
    "is_incremental": merged,
    "is_full": should_full_refresh(),
    "scope": config.get("scope"),
    "partition_by": config.get("partition_by"),
    "partitions": config.get("partitions"),
    "few_rows": config.get("few_rows"),
  }) %}
  {%- set kept = merged and config.get("is_kept") -%}
  {%- if not kept %}
  {% call statement("forget_built") -%}
    drop table {{ built }}
  {%- endcall %}
  {%- endif %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({"relations": [target, built] if kept else [target]}) }}
{% endmaterialization %}

{# True while a model with a unique key has a table in the lake that is to be brought up to date, not built anew. #}
{% macro is_incremental() %}
  {%- set is_merged = config.get("materialized") == "delta" and config.get("unique_key") -%}
  {{ return(execute and is_merged and not should_full_refresh() and load_relation(this) is not none) }}
{% endmacro %}

{# The rows of this model that stand and that it is about to make anew; none where all is. The merge does not read them again. #}
{% macro standing_rows() %}{{ return(engine("standing_rows")() if is_incremental() else none) }}{% endmacro %}
{% macro default__standing_rows() %}(select * from {{ this }} where {{ config.get("scope") }}){% endmacro %}
{% macro duckdb__standing_rows() -%}
  {%- set unique_key = config.get("unique_key") -%}
  {% do adapter.store_relation("lake", this, [], "", "delta", {
    "is_standing": true,
    "unique_key": [unique_key] if unique_key is string else unique_key,
    "scope": config.get("scope"),
    "partition_by": config.get("partition_by"),
    "few_rows": config.get("few_rows"),
  }) %}
  {% do adapter.commit() %}
  {{ return(this.incorporate(path={"identifier": "standing_rows"}, type="table")) }}
{%- endmacro %}

{# Some columns of the rows of a table (a relation) that hold in `column` one of the keys a query gives. Where events are few, an
   index says which files to open. #}
{% macro rows_with(relation, column, keys, columns) %}
  {%- set is_table = execute and not flags.FULL_REFRESH and model.resource_type != "unit_test" and relation is not string -%}
  {{ return(engine("rows_with" if is_table else "rows_where")(relation, column, keys, columns)) }}
{% endmacro %}
{% macro default__rows_where(relation, column, keys, columns) -%}
(select {{ fields(columns) }} from {{ relation }} where {{ column }} in ({{ keys }}))
{%- endmacro %}
{% macro default__rows_with(relation, column, keys, columns) %}{{ return(default__rows_where(relation, column, keys, columns)) }}{% endmacro %}
{% macro duckdb__rows_with(relation, column, keys, columns) -%}
  {%- set found = relation.incorporate(path={"identifier": relation.identifier ~ "__with_" ~ column}, type="table") -%}
  {% do adapter.store_relation("lake", relation, [], "", "delta", {
    "looked_up": found.identifier, "column": column, "keys": keys, "columns": columns,
  }) %}
  {% do adapter.commit() %}
  {{ return(found) }}
{%- endmacro %}

{# The rows that a model, configured with `is_kept`, made in this build: all that it speaks for. Where it made all anew, or not
   in this build, they are its table. #}
{% macro made_now(relation) -%}
  {%- if not execute or model.resource_type == "unit_test" or relation is string -%}{{ return(relation) }}{%- endif -%}
  {%- set built = adapter.get_relation(relation.database, relation.schema, relation.identifier ~ "__built") -%}
  {{ return(relation if built is none else built) }}
{%- endmacro %}

{# A table of ours that stands from an earlier build; none where all is built anew. #}
{% macro standing_table(name) %}
  {%- if execute and not flags.FULL_REFRESH and model.resource_type != "unit_test" -%}
    {{ return(adapter.get_relation(this.database, this.schema, name)) }}
  {%- endif -%}
  {{ return(none) }}
{% endmacro %}
