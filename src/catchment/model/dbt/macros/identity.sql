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

{# The user of an event, as the tables of identity spell it; '' for none. #}
{% macro user_of_event() -%}
  {%- set declared = var("identity") | selectattr("name", "equalto", "user_id") | list -%}
  {%- set user = spelled("user_id", declared[0].normalise if declared else "trim") -%}
  coalesce({{ sha256_of(user) if declared and declared[0].hash else user }}, '')
{%- endmacro %}

{# Of what a person was told to be, which value comes first: of ranked sources the first, of frequent ones the most frequent. #}
{% macro told_rank(trait) -%}
  case
    {%- for name, declared in var("traits").items() if declared.keep == "most_frequent" %}
    when {{ trait }} = '{{ name }}' then -days
    {%- endfor %}
    when 1 = 0 then days
    else source
  end
{%- endmacro %}

{# Then the last, or the first where the settings say so; what says no moment comes at the end. #}
{% macro told_order(trait, tstamp) -%}
  case
    {%- for name, declared in var("traits").items() if declared.keep == "first" %}
    when {{ trait }} = '{{ name }}' then -{{ epoch_seconds(tstamp) }}
    {%- endfor %}
    when 1 = 0 then null
    else {{ epoch_seconds(tstamp) }}
  end desc nulls last
{%- endmacro %}

{# Who is who is found in Python, by catchment.model.identity: what an engine computes of news goes to the dbt plugin
   `identity`, which brings the tables identity_* of the lake up to date and shows them. It leaves what news concern, whole clusters,
   as identity_touched and identity_touched_edges. #}
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
