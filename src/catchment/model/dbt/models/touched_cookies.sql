{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one cookie that was seen in a visit that is counted anew. -#}
select distinct domain_userid
from {{ ref("touched_days") }}
where domain_userid <> ''
