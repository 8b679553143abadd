"""The SQL that carries identity between the tables of the lake and the numbers that a resolution works with.

A key is 63 bits of a digest, by which an identifier is the same in every build: so rows are joined by numbers. Among a
hundred million identifiers two have the same key with a chance of 1 in 2,000; edges of one would be those of both.
"""

KEY_OF = """
create or replace temp macro key_of(kind, value) as cast(md5_number_lower(kind || ':' || value) >> 1 as bigint)
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
TOLD = """
create or replace temp table told_identifiers as
select kind, value, min(first_seen_tstamp) as first_seen_tstamp, key_of(kind, value) as key
from (
  select kind_b as kind, value_b as value, first_seen_tstamp from identity_news
  union all
  select kind_a, value_a, first_seen_tstamp from identity_news where kind_a <> ''
)
group by kind, value
"""
EDGES_TOLD = """
create or replace temp table edges_told as
select
  kind_a, value_a, kind_b, value_b, week, first_seen_tstamp, last_seen_tstamp, weekdays, first_event_id,
  key_of(kind_a, value_a) as key_a, key_of(kind_b, value_b) as key_b
from identity_news where kind_a <> ''
"""
EDGES_BEFORE = """
create or replace temp table identity_edges__held as
select stands.* from edges_near as stands semi join edges_told as told using (key_a, key_b, week)
"""
EDGES = """
create or replace temp table edges_built as
select
  kind_a, value_a, kind_b, value_b, week, 'events' as source, cast(1 as double) as score,
  min(first_seen_tstamp) as first_seen_tstamp, max(last_seen_tstamp) as last_seen_tstamp,
  bit_or(weekdays) as weekdays, cast(bit_count(bit_or(weekdays)) as int) as days,
  arg_min(first_event_id, row(first_seen_tstamp, first_event_id)) as first_event_id, key_a, key_b
from (
  select * from edges_told
  {standing}
) as told
group by kind_a, value_a, kind_b, value_b, week, key_a, key_b
"""
TOLD_BEFORE = """
  union all by name
  select told.kind_a, told.value_a, told.kind_b, told.value_b, stands.* exclude (_file)
  from identity_edges__held as stands
  inner join (select distinct kind_a, value_a, kind_b, value_b, key_a, key_b, week from edges_told) as told
    using (key_a, key_b, week)
"""
CONCERNED_KEYS = """
create or replace temp table concerned_keys as
select key from told_identifiers
union
select key_of(pairs.kind_b, pairs.value_b)
from unseen_pairs as pairs
inner join told_identifiers as told on told.kind = pairs.kind_a and told.value = pairs.value_a
union
select key_of(pairs.kind_a, pairs.value_a)
from unseen_pairs as pairs
inner join told_identifiers as told on told.kind = pairs.kind_b and told.value = pairs.value_b
"""
CONCERNED = "key in (select key from concerned_keys)"
NODES = """
create or replace temp table nodes as
select
  cast(row_number() over (order by ranks.rank, known.value) - 1 as bigint) as number,
  ranks.rank as kind_rank, known.kind, known.value, known.key, min(known.first_seen_tstamp) as first_seen_tstamp
from (
  select kind, value, key, first_seen_tstamp from told_identifiers
  union all
  select kind, value, key, first_seen_tstamp from identity_identifiers__held
) as known
inner join kind_ranks as ranks on ranks.kind = known.kind
group by ranks.rank, known.kind, known.value, known.key
"""
SIGHTED = ("key_a", "key_b", "first_seen_tstamp", "last_seen_tstamp")
BETWEEN_NODES = "key_a in (select key from nodes) and key_b in (select key from nodes)"
SIGHTINGS = """
create or replace temp table sightings as
select a.number as a, b.number as b, edges.first_seen_tstamp, edges.last_seen_tstamp
from (
  select key_a, key_b, first_seen_tstamp, last_seen_tstamp from edges_built
  {standing}
) as edges
inner join nodes as a on a.key = edges.key_a
inner join nodes as b on b.key = edges.key_b
"""
SEEN_BEFORE = """
  union all
  select stands.key_a, stands.key_b, stands.first_seen_tstamp, stands.last_seen_tstamp
  from edges_standing as stands
  anti join edges_built as built using (key_a, key_b, week)
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
  nodes.key, name.key as person_key, least.key as cluster,
  found.since, found.is_linked
from found
inner join nodes on nodes.number = found.number
inner join nodes as name on name.number = found.person // 2
inner join nodes as least on least.number = found.cluster
"""
BUILT = {
    "identity_identifiers": """
select
  kind, value, person_id, first_seen_tstamp,
  cast(date_trunc('week', cast(first_seen_tstamp as date)) as date) as first_week,
  key, person_key, cluster
from people_found
""",
    "identity_history": """
select
  kind, value, person_id, make_timestamptz(since) as valid_from, cast(null as timestamptz) as valid_to,
  true as is_current,
  cast(date_trunc('week', cast(make_timestamptz(since) as date)) as date) as from_week,
  key, person_key
from people_found
where is_linked
union all
select
  node.kind, node.value, name_of(past.person, name.kind, name.value),
  make_timestamptz(past.since), make_timestamptz(past.until), false,
  cast(date_trunc('week', cast(make_timestamptz(past.since) as date)) as date),
  node.key, name.key
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
  name.key, survivor.key as survivor_key, name.person_key as current_key, a.key as key_a, b.key as key_b
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
  links.first_seen_tstamp, links.last_seen_tstamp, one.key as key_a, other.key as key_b
from refusals
inner join links on links.edge = refusals.edge
inner join people_found as one on one.number = links.a
inner join people_found as other on other.number = links.b
left join kind_ranks as ranks on ranks.rank = refusals.kind
qualify row_number() over (partition by links.a, links.b order by links.edge) = 1
""",
}
RENAMED = """
create or replace temp table renamed as
select stands.key, stands._file
from identity_identifiers__held as stands
inner join identity_identifiers__built as now on now.key = stands.key
where now.person_key <> stands.person_key
"""
PUBLISHED = ("kind", "value", "person_id", "key")
ALL_PUBLISHED = "create or replace temp table published as select kind, value, person_id from identity_identifiers"
CHANGES = """
select
  now.kind, now.value, before.person_id as person_before, now.person_id,
  cast($changed_at as timestamptz) as changed_at
from published as before
inner join identity_identifiers__built as now on now.kind = before.kind and now.value = before.value
where now.person_id <> before.person_id
order by now.kind, now.value
"""
