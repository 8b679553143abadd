"""The SQL that carries identity between the tables of the lake and the numbers that a resolution works with."""

EDGES = """
create or replace temp table edges_built as
with known as (
  select kind_a, value_a, kind_b, value_b, week, first_seen_tstamp, last_seen_tstamp, weekdays, first_event_id
  from identity_news where kind_a <> ''
  {standing}
)
select
  kind_a, value_a, kind_b, value_b, week, 'events' as source, cast(1 as double) as score,
  min(first_seen_tstamp) as first_seen_tstamp, max(last_seen_tstamp) as last_seen_tstamp,
  bit_or(weekdays) as weekdays, cast(bit_count(bit_or(weekdays)) as int) as days,
  arg_min(first_event_id, row(first_seen_tstamp, first_event_id)) as first_event_id
from known
group by kind_a, value_a, kind_b, value_b, week
"""
STANDING_EDGES = """
  union all
  select kind_a, value_a, kind_b, value_b, week, first_seen_tstamp, last_seen_tstamp, weekdays, first_event_id
  from standing_identity_edges
  where week in (select week from identity_news)
    and (kind_a, value_a, kind_b, value_b, week) in (
      select (kind_a, value_a, kind_b, value_b, week) from identity_news where kind_a <> ''
    )
"""
TOLD = """
create or replace temp table told_identifiers as
select kind, value, min(first_seen_tstamp) as first_seen_tstamp
from (
  select kind_b as kind, value_b as value, first_seen_tstamp from identity_news
  union all
  select kind_a, value_a, first_seen_tstamp from identity_news where kind_a <> ''
)
group by kind, value
"""
CHANGED = """
create or replace temp table changed_identifiers as
with edges as (
  select * from edges_built except select * from standing_identity_edges where week in (select week from identity_news)
),
changed as (
  select told.kind, told.value
  from told_identifiers as told
  left join standing_identity_identifiers as stands on stands.kind = told.kind and stands.value = told.value
  where stands.value is null or told.first_seen_tstamp < stands.first_seen_tstamp
  union
  select kind_a, value_a from edges
  union
  select kind_b, value_b from edges
)
select kind, value from changed
union
select pairs.kind_b, pairs.value_b
from unseen_pairs as pairs
inner join changed on changed.kind = pairs.kind_a and changed.value = pairs.value_a
union
select pairs.kind_a, pairs.value_a
from unseen_pairs as pairs
inner join changed on changed.kind = pairs.kind_b and changed.value = pairs.value_b
"""
CLUSTERS = """
create or replace temp table touched_clusters as
select distinct stands.cluster
from standing_identity_identifiers as stands
where {is_all} or (stands.kind, stands.value) in (select (kind, value) from changed_identifiers)
"""
NAME_OF = """
create or replace temp macro name_of(person, kind, value) as
case when person % 2 = 0 then value else 'p_' || md5(kind || ':' || value) end
"""
UNSEEN = """
create or replace temp table unseen_pairs as
select kind_a, value_a, kind_b, value_b, {rule} as strength, cast(1 as double) as score from always_pairs
"""
PROBABLE = """
insert into unseen_pairs
select kind_a, value_a, kind_b, value_b, {probable}, score from "{table}" where score >= $min_score
"""
PUBLISHED = """
create or replace temp table published as
select kind, value, person_id from identity_identifiers {touched}
"""
NODES = """
create or replace temp table nodes as
select
  cast(row_number() over (order by ranks.rank, known.value) - 1 as bigint) as number,
  ranks.rank as kind_rank, known.kind, known.value, min(known.first_seen_tstamp) as first_seen_tstamp
from (
  select kind, value, first_seen_tstamp from told_identifiers
  where {is_full} or (kind, value) in (select (kind, value) from changed_identifiers)
  union all
  select kind, value, first_seen_tstamp from standing_identity_identifiers
  where cluster in (select cluster from touched_clusters)
) as known
inner join kind_ranks as ranks on ranks.kind = known.kind
group by ranks.rank, known.kind, known.value
"""
SIGHTINGS = """
create or replace temp table sightings as
select a.number as a, b.number as b, edges.first_seen_tstamp, edges.last_seen_tstamp
from {edges} as edges
inner join nodes as a on a.kind = edges.kind_a and a.value = edges.value_a
inner join nodes as b on b.kind = edges.kind_b and b.value = edges.value_b
"""
SEEN = """
select links.edge, unnest([epoch_us(seen.first_seen_tstamp), epoch_us(seen.last_seen_tstamp)]) as moment
from sightings as seen
inner join links on links.a = seen.a and links.b = seen.b and links.strength = {seen}
where seen.b in (select b from links group by b having count(*) > 1)
"""
LINKS = """
create or replace temp table links as
with pairs as (
  select
    a, b, {seen} as strength,
    min(first_seen_tstamp) as first_seen_tstamp, max(last_seen_tstamp) as last_seen_tstamp,
    cast(1 as double) as score
  from sightings group by a, b
  union all
  select
    least(a.number, b.number), greatest(a.number, b.number), pairs.strength,
    max(greatest(a.first_seen_tstamp, b.first_seen_tstamp)), max(greatest(a.first_seen_tstamp, b.first_seen_tstamp)),
    max(pairs.score)
  from unseen_pairs as pairs
  inner join nodes as a on a.kind = pairs.kind_a and a.value = pairs.value_a
  inner join nodes as b on b.kind = pairs.kind_b and b.value = pairs.value_b
  where a.number <> b.number
  group by 1, 2, 3
)
select cast(row_number() over (order by a, b, strength) - 1 as bigint) as edge, *
from pairs
"""
PEOPLE = """
create or replace temp table people_found as
select
  nodes.number, nodes.kind, nodes.value, nodes.first_seen_tstamp,
  name_of(found.person, name.kind, name.value) as person_id,
  md5(least.kind || ':' || least.value) as cluster,
  found.since, found.is_linked
from found
inner join nodes on nodes.number = found.number
inner join nodes as name on name.number = found.person // 2
inner join nodes as least on least.number = found.cluster
"""
BUILT = {
    "identity_identifiers": """
select
  kind, value, person_id, cluster, first_seen_tstamp,
  cast(date_trunc('week', cast(first_seen_tstamp as date)) as date) as first_week
from people_found
""",
    "identity_history": """
select
  kind, value, person_id, make_timestamptz(since) as valid_from, cast(null as timestamptz) as valid_to,
  true as is_current, cluster,
  cast(date_trunc('week', cast(make_timestamptz(since) as date)) as date) as from_week
from people_found
where is_linked
union all
select
  node.kind, node.value, name_of(past.person, name.kind, name.value),
  make_timestamptz(past.since), make_timestamptz(past.until), false, node.cluster,
  cast(date_trunc('week', cast(make_timestamptz(past.since) as date)) as date)
from past
inner join people_found as node on node.number = past.node
inner join nodes as name on name.number = past.person // 2
""",
    "identity_merges": """
select
  name_of(merges.person, name.kind, name.value) as person_id,
  name_of(merges.survivor, survivor.kind, survivor.value) as survivor_id,
  name.person_id as current_id,
  make_timestamptz(merges.at) as merged_tstamp,
  a.kind as kind_a, a.value as value_a, b.kind as kind_b, b.value as value_b,
  name.cluster
from merges
inner join people_found as name on name.number = merges.person // 2
inner join nodes as survivor on survivor.number = merges.survivor // 2
left join links on links.edge = merges.edge
left join nodes as a on a.number = links.a
left join nodes as b on b.number = links.b
""",
    "identity_conflicts": """
select
  one.kind as kind_a, one.value as value_a, other.kind as kind_b, other.value as value_b,
  refusals.reason, ranks.kind, one.person_id as person_a, other.person_id as person_b,
  links.first_seen_tstamp, links.last_seen_tstamp, one.cluster
from refusals
inner join links on links.edge = refusals.edge
inner join people_found as one on one.number = links.a
inner join people_found as other on other.number = links.b
left join kind_ranks as ranks on ranks.rank = refusals.kind
qualify row_number() over (partition by links.a, links.b order by links.edge) = 1
""",
}
ALL_CLUSTERS = """
create or replace temp table all_clusters as
select cluster from touched_clusters union select cluster from people_found
"""
CHANGES = """
select
  now.kind, now.value, before.person_id as person_before, now.person_id,
  cast($changed_at as timestamptz) as changed_at
from published as before
inner join identity_identifiers__built as now on now.kind = before.kind and now.value = before.value
where now.person_id <> before.person_id
order by now.kind, now.value
"""
