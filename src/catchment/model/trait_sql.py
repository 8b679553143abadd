"""Computed traits as one dbt model, `people_traits`: each table is read once, whatever number of traits it feeds.

The SQL is portable: what engines spell differently comes from macros, as in the shipped models.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot
import yaml
from sqlglot import exp
from sqlglot.errors import SqlglotError

from catchment.errors import DefinitionError
from catchment.model.traits import EVENTS, Trait, near
from catchment.model.variables import TYPED, fields_of

PEOPLE_TRAITS = "people_traits"
_NOW = "current_timestamp"
_ENTITY_FIELD = re.compile(r"\b(contexts_[a-z0-9_]+)\.([a-z_][a-z0-9_]*)")
_AGGREGATES = {
    "count": "count(case when {condition} then 1 end)",
    "distinct": "count(distinct case when {condition} then {value} end)",
    "sum": "sum(case when {condition} then cast({value} as double) end)",
    "avg": "avg(case when {condition} then cast({value} as double) end)",
    "min": "min(case when {condition} then {value} end)",
    "max": "max(case when {condition} then {value} end)",
    "first": "min_by({value}, case when {condition} and {value} is not null then _place end)",
    "last": "max_by({value}, case when {condition} and {value} is not null then _place end)",
}
_EVENT_ROWS = """
select * from (
  select
    counted.*, coalesce(mapping.person_id, counted.domain_userid) as _person
  from (
    select *, row_number() over (
      partition by {{ visit_id() }}, event_id
      order by collector_tstamp nulls last, etl_tstamp nulls last, derived_tstamp nulls last, load_tstamp nulls last
    ) as _copy
    from {{ source("lake", "events") }}
    where {{ is_counted() }} and domain_userid is not null
  ) as counted
  left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = counted.domain_userid
  where counted._copy = 1
) as rows_of_events
"""


@dataclass(frozen=True)
class Sources:
    """What traits may be drawn from: the schemas of tables that stand, and the names of dbt's models."""

    schemas: Callable[[str], pa.Schema | None]
    models: frozenset[str]
    tables: tuple[str, ...]

    def relation(self, trait: Trait) -> str:
        """Name a table in dbt's words; raises DefinitionError where there is none of that name."""
        if trait.source in self.models:
            return f'{{{{ ref("{trait.source}") }}}}'
        if trait.source in self.tables:
            return f'{{{{ api.Relation.create(schema=target.schema, identifier="{trait.source}") }}}}'
        known = {*self.models, *self.tables} - {PEOPLE_TRAITS}
        raise DefinitionError(
            f"{trait.place}.from: there is no table '{trait.source}'.", hint=near(trait.source, known)
        )


def write_model(folder: Path, traits: list[Trait], sources: Sources, *, stands_at: str | None) -> str:
    """Write the model and its description; gives the mark of its SQL.

    Where the standing table was made by the same SQL (`stands_at`), only what differs is merged.
    """
    sql = model_sql(traits, sources)
    mark = hashlib.sha256(sql.encode()).hexdigest()[:16]
    merged = 'unique_key="person_id", scope="true"' if mark == stands_at else 'materialized="delta"'
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{PEOPLE_TRAITS}.sql").write_text(f"{{{{ config({merged}) }}}}\n{sql}")
    (folder / f"{PEOPLE_TRAITS}.yml").write_text(yaml.safe_dump(_described(traits), sort_keys=False))
    return mark


def model_sql(traits: list[Trait], sources: Sources) -> str:
    """Give the SQL of the model, in dbt's Jinja."""
    groups: dict[tuple[Any, ...], list[Trait]] = {}
    for trait in traits:
        owner = tuple(sorted((trait.by or {}).items()))
        groups.setdefault((trait.source, trait.moment, owner), []).append(trait)
    parts, columns, joins = [], [], []
    for number, members in enumerate(groups.values(), 1):
        rows, totals = f"rows_{number}", f"totals_{number}"
        parts.append(f"{rows} as ({_rows(members, sources)})")
        plain = [trait for trait in members if trait.measure != "most_frequent"]
        if plain:
            told = ",\n  ".join(f"{_aggregate(trait, sources)} as {trait.name}" for trait in plain)
            parts.append(f"{totals} as (\nselect _person,\n  {told}\nfrom {rows}\ngroup by _person\n)")
            joins.append(f"left join {totals} on {totals}._person = people.person_id")
            columns += [(trait, f"{totals}.{trait.name}") for trait in plain]
        for trait in members:
            if trait.measure == "most_frequent":
                parts.append(_most_frequent(trait, rows, sources))
                joins.append(f"left join of_{trait.name} on of_{trait.name}._person = people.person_id")
                columns.append((trait, f"of_{trait.name}.told"))
    chosen = "".join(f",\n  {_or_default(trait, sql)} as {trait.name}" for trait, sql in columns)
    head = "with " + ",\n".join(parts) if parts else ""
    return f'{head}\nselect people.person_id{chosen}\nfrom {{{{ ref("people") }}}} as people\n' + "\n".join(joins)


def _rows(members: list[Trait], sources: Sources) -> str:
    """Give the rows of one table with `_person`, and `_place` where some trait asks for their order."""
    trait = members[0]
    inner = _EVENT_ROWS if trait.source == EVENTS and trait.by is None else _owned_rows(trait, sources)
    place = (
        f", row_number() over (partition by _person order by {_order(trait, sources)}) as _place"
        if any(member.is_ordered for member in members)
        else ""
    )
    windows = [member.within_last_days for member in members]
    longest = max((days for days in windows if days is not None), default=None)
    kept = f"\nwhere {_window(trait.moment or '', longest)}" if longest is not None and None not in windows else ""
    return f"\nselect *{place} from ({inner}) as owned{kept}\n"


def _owned_rows(trait: Trait, sources: Sources) -> str:
    relation = sources.relation(trait)
    schema = sources.schemas(trait.source)
    if trait.by is not None:
        _check_keys(trait, schema)
        match = " and ".join(f"people.{theirs} = owned.{ours}" for ours, theirs in trait.by.items())
        return (
            f"\nselect owned.*, people.person_id as _person from {relation} as owned\n"
            f'inner join {{{{ ref("people") }}}} as people on {match}\n'
        )
    if schema is None or "person_id" in schema.names:
        return f"\nselect owned.*, owned.person_id as _person from {relation} as owned\n"
    if "domain_userid" in schema.names:
        return (
            f"\nselect owned.*, coalesce(mapping.person_id, owned.domain_userid) as _person from {relation} as owned\n"
            'left join {{ ref("user_mapping") }} as mapping on mapping.domain_userid = owned.domain_userid\n'
        )
    raise DefinitionError(
        f"{trait.place}.from: '{trait.source}' has neither person_id nor domain_userid.",
        hint="Say whose its rows are, for example `by: {email: email}`.",
    )


def _check_keys(trait: Trait, schema: pa.Schema | None) -> None:
    for name in trait.by or {}:
        if schema is not None and name not in schema.names:
            raise DefinitionError(
                f"{trait.place}.by: '{name}' is no column of {trait.source}.", hint=near(name, schema.names)
            )


def _order(trait: Trait, sources: Sources) -> str:
    """Order rows by their moment and break ties by all else that is plain, so that the order is one."""
    schema = sources.schemas(trait.source)
    plain = [field.name for field in schema or [] if not pa.types.is_nested(field.type) and field.name != trait.moment]
    chosen = ["event_id"] if trait.source == EVENTS else plain
    return ", ".join(f"{name} nulls first" for name in [trait.moment or "", *chosen])


def _window(moment: str, days: float) -> str:
    since = f'{{{{ seconds_before("{_NOW}", {round(days * 86_400)}) }}}}'
    return f"{moment} >= {since} and {moment} <= {_NOW}"


def _condition(trait: Trait, sources: Sources) -> str:
    parts = [] if trait.where is None else [f"({_checked(trait, 'where', trait.where, sources, missing='false')})"]
    if trait.within_last_days is not None:
        parts.append(_window(trait.moment or "", trait.within_last_days))
    if trait.is_ordered:
        parts.append(f"{trait.moment} is not null")
    return " and ".join(parts) or "true"


def _aggregate(trait: Trait, sources: Sources) -> str:
    condition = _condition(trait, sources)
    if trait.measure == "days_since":
        extreme = "max" if trait.days_since == "last" else "min"
        moment = f"{extreme}(case when {condition} then {trait.moment} end)"
        passed = f'{{{{ epoch_seconds("{_NOW}") }}}} - {{{{ epoch_seconds("{moment}") }}}}'
        return f"cast(floor(({passed}) / 86400) as int)"
    return _AGGREGATES[trait.measure].format(condition=condition, value=_value(trait, sources))


def _value(trait: Trait, sources: Sources) -> str:
    sql = trait.value
    if sql is None:
        return ""
    return f"({_checked(trait, trait.measure, sql, sources, missing='cast(null as string)')})"


def _most_frequent(trait: Trait, rows: str, sources: Sources) -> str:
    value, condition = _value(trait, sources), _condition(trait, sources)
    return f"""of_{trait.name} as (
select _person, told from (
  select _person, told, row_number() over (partition by _person order by times desc, latest desc) as standing
  from (
    select _person, {value} as told, count(*) as times, max(_place) as latest
    from {rows}
    where {condition} and {value} is not null
    group by _person, {value}
  ) as counted
) as ranked
where standing = 1
)"""


def _or_default(trait: Trait, sql: str) -> str:
    default = trait.default
    if default is None and trait.measure in ("count", "distinct"):
        default = 0
    if default is None:
        return sql
    if isinstance(default, str):
        literal = "'" + default.replace("'", "''") + "'"
    else:
        literal = str(default).lower() if isinstance(default, bool) else f"{default:g}"
    return f"coalesce({sql}, {literal})"


def _checked(trait: Trait, key: str, sql: str, sources: Sources, *, missing: str) -> str:
    """Hold SQL to grammar and to the table's columns; what reads what no event has brought yet becomes `missing`."""
    place = f"{trait.place}.{key}"
    try:
        parsed = sqlglot.parse_one(sql, dialect="duckdb")
    except SqlglotError as error:
        reason = str(error).splitlines()[0].split(". Line")[0]
        raise DefinitionError(f"{place}: is not SQL: {reason}.", hint="Write an expression over columns.") from error
    schema = sources.schemas(trait.source)
    if schema is None:
        return sql
    if any(not _is_known(place, column, schema, trait) for column in parsed.find_all(exp.Column)):
        return missing
    return _ENTITY_FIELD.sub(lambda path: _entity_field(path, schema), sql)


def _is_known(place: str, column: exp.Column, schema: pa.Schema, trait: Trait) -> bool:
    """Say whether a column is there by now; raises DefinitionError where it can never be."""
    name, field = (column.table, column.name) if column.table else (column.name, "")
    if name in schema.names:
        return not field or not TYPED.fullmatch(name) or field in fields_of(schema, name)
    if trait.source == EVENTS and TYPED.fullmatch(name):
        return False
    raise DefinitionError(f"{place}: '{name}' is no column of {trait.source}.", hint=near(name, schema.names))


def _entity_field(path: re.Match[str], schema: pa.Schema) -> str:
    column, field = path.groups()
    is_list = column in schema.names and pa.types.is_list(schema.field(column).type)
    return f'{{{{ first_entity("{column}", "{field}") }}}}' if is_list else path[0]


def _described(traits: list[Trait]) -> Mapping[str, Any]:
    columns = [{"name": "person_id", "description": "The person."}]
    columns += [{"name": trait.name, "description": trait.description or _in_words(trait)} for trait in traits]
    model = {
        "name": PEOPLE_TRAITS,
        "description": "One person, with the traits that the project computes.",
        "data_tests": [{"is_key": {"arguments": {"columns": ["person_id"]}}}],
        "columns": columns,
    }
    return {"version": 2, "models": [model]}


def _in_words(trait: Trait) -> str:
    told = trait.model_dump(by_alias=True, exclude_none=True, exclude={"description", "default"})
    return ", ".join(f"{key} {value}" for key, value in told.items()) + "."
