{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one person whose rows must be made anew: a touched cookie belongs to them, or did when the models were last built. -#}
select coalesce(mapping.person_id, touched.domain_userid) as person_id
from {{ ref("touched_users") }} as touched
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = touched.domain_userid
union
select former.person_id
from {{ source("lake", "former_mapping") }} as former
inner join {{ ref("touched_users") }} as touched on touched.domain_userid = former.domain_userid
union
select domain_userid
from {{ ref("touched_users") }}
