{# No two rows have the same values in these columns, and none has a null there, nor in the columns that must be told. Of a model
   that keeps what it made, that is what is looked at: a merge puts it in the place of all rows with the same keys. #}
{% test is_key(model, columns, told=[]) %}
select {{ columns | join(", ") }}, count(*) as copies
from {{ made_now(model) }}
group by {{ columns | join(", ") }}
having count(*) > 1
  {%- for column in columns %} or {{ column }} is null{% endfor %}
  {%- for column in told %} or count({{ column }}) < count(*){% endfor %}
{% endtest %}

{# None of these columns is ever null. #}
{% test is_told(model, columns) %}
select {{ columns | join(", ") }}
from {{ made_now(model) }}
where {% for column in columns %}{{ column }} is null{{ " or " if not loop.last }}{% endfor %}
{% endtest %}
