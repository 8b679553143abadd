{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one person whose rows must be made anew: a touched cookie belongs to them, or did when the models were last built, or
    they were logged in somewhere. -#}
select coalesce(mapping.person_id, touched.domain_userid) as person_id
from {{ ref("touched_cookies") }} as touched
left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = touched.domain_userid
union
select former.person_id
from {{ source("lake", "former_mapping") }} as former
inner join {{ ref("touched_cookies") }} as touched on touched.domain_userid = former.domain_userid
union
select domain_userid
from {{ ref("touched_cookies") }}
union
select logged_in.person_id
from {{ source("lake", "identity_touched") }} as logged_in
where logged_in.kind = 'user_id' and logged_in.value in (
  select {{ user_of_event() }} from {{ source("lake", "new_events") }} where user_id is not null
)
