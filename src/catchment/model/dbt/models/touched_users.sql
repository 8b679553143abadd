{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one cookie whose row of users must be made anew: it was seen in a visit that is counted anew, or belongs to a person
    whose row is, who is all their cookies. -#}
select domain_userid from {{ ref("touched_cookies") }}
union
select domain_userid
from {{ ref("user_mapping") }}
where person_id in (select person_id from {{ ref("touched_people") }})
union
select person_id from {{ ref("touched_people") }}
