{# What makes spellings of an identifier one. `catchment.model.identity.spelling` says the same in Python. #}
{% macro spelled(text, how) -%}
  {%- set trimmed = "trim(cast(" ~ text ~ " as string))" -%}
  {%- if how == "none" -%}cast({{ text }} as string)
  {%- elif how == "trim" -%}{{ trimmed }}
  {%- elif how == "phone" -%}{{ without(without(trimmed, "[^0-9+]"), "^00", "+") }}
  {%- else -%}lower({{ trimmed }})
  {%- endif -%}
{%- endmacro %}

{# Whether a spelled text identifies anybody: it has the form of its kind, and is neither a blocked word nor like one. #}
{% macro identifies(text, identifier) -%}
  {{ text }} is not null
  {%- if identifier.normalise == "email" %} and {{ matches(text, "^[^@ ]+@[^@ ]+[.][^@ ]+$") }}{% endif -%}
  {%- if identifier.normalise == "phone" %} and {{ matches(text, "^[+]?[0-9]{7,15}$") }}{% endif -%}
  {%- if identifier.blocked %} and lower(trim({{ text }})) not in (
    {%- for word in identifier.blocked %}'{{ word }}'{{ ", " if not loop.last }}{% endfor -%}
  ){% endif -%}
  {%- for pattern in identifier.blocked_patterns %} and not {{ matches("lower(" ~ text ~ ")", pattern) }}{% endfor -%}
{%- endmacro %}

{# Who is who is found in Python, by catchment.model.identity: what an engine computes of news goes to the dbt plugin
   `identity`, which brings the tables identity_* of the lake up to date and shows them. #}
{% materialization identity, adapter="duckdb" %}
  {%- set target = this.incorporate(type="table") -%}
  {{ run_hooks(pre_hooks) }}
  {% call statement("main") -%}
    create or replace table {{ target }} as (
      {{ sql }}
    )
  {%- endcall %}
  {% do adapter.commit() %}
  {% do adapter.store_relation("identity", target, [], "", "delta", {"is_full": flags.FULL_REFRESH}) %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({"relations": [target]}) }}
{% endmaterialization %}
