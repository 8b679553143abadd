{# A model becomes a Delta table of the lake in one commit; the plugin `lake` of the profile writes it.

   Without `unique_key` all its rows are replaced. With one, and while the table stands, only rows that differ are merged:
     scope       which standing rows the model speaks for (SQL over its columns); of those, what it no longer gives is removed
     partition_by, partitions   the column that parts its files, and a query for the values that a merge may touch #}
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
  {% do adapter.store_relation("lake", target, [], "", "delta", {
    "built": built.identifier,
    "unique_key": [unique_key] if unique_key is string else unique_key,
    "is_incremental": is_incremental(),
    "scope": config.get("scope"),
    "partition_by": config.get("partition_by"),
    "partitions": config.get("partitions"),
  }) %}
  {% call statement("forget_built") -%}
    drop table {{ built }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({"relations": [target]}) }}
{% endmaterialization %}

{# True while a model with a unique key has a table in the lake that is to be brought up to date, not built anew. #}
{% macro is_incremental() %}
  {%- set is_merged = config.get("materialized") == "delta" and config.get("unique_key") -%}
  {{ return(execute and is_merged and not should_full_refresh() and load_relation(this) is not none) }}
{% endmacro %}

{# A table of ours that stands from an earlier build; none where all is built anew. #}
{% macro standing_table(name) %}
  {%- if execute and not flags.FULL_REFRESH and model.resource_type != "unit_test" -%}
    {{ return(adapter.get_relation(this.database, this.schema, name)) }}
  {%- endif -%}
  {{ return(none) }}
{% endmacro %}
