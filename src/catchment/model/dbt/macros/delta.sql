{# A model becomes a Delta table of the lake, replaced in one commit; the plugin `lake` of the profile writes it. #}
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
  {% do adapter.store_relation("lake", target, [], "", "delta", {"built": built.identifier}) %}
  {% call statement("forget_built") -%}
    drop table {{ built }}
  {%- endcall %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({"relations": [target]}) }}
{% endmaterialization %}
