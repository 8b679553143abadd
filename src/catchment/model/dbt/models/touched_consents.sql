{{ config(materialized="table", tags=["always"]) }}
{#- Grain: one person whose consents must be looked at anew: they said something, are another's or were, or a consent of theirs
    has run out. Who no table names is a person by their cookie, or by their user. Where all is built anew, nobody asks. -#}
-- depends_on: {{ ref("statements_told") }}, {{ ref("user_mapping") }}
{%- set standing = standing_table("consents") %}
{%- if flags.FULL_REFRESH and model.resource_type != "unit_test" %}
select domain_userid as person_id from {{ source("lake", "moved_cookies") }}
{%- else %}
with named as (
  select domain_userid, user_id from {{ ref("statements_told") }}
  union
  select domain_userid, user_id from {{ source("lake", "former_mapping") }}
  union
  select domain_userid, '' as user_id from {{ source("lake", "moved_cookies") }}
),

known as (
  select domain_userid, user_id, person_id from {{ ref("user_mapping") }}
)

select person_id from {{ source("lake", "former_mapping") }}
union
select domain_userid as person_id from named where domain_userid <> ''
union
select user_id as person_id from named where user_id <> ''
union
select known.person_id from known inner join named on named.domain_userid = known.domain_userid
union
select known.person_id from known inner join named on named.user_id = known.user_id
union
select known.user_id as person_id from known inner join named on named.domain_userid = known.domain_userid where known.user_id <> ''
{%- if standing %}
union
select person_id from {{ standing }} where granted and expires_tstamp <= current_timestamp
{%- endif %}
{%- endif %}
