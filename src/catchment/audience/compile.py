"""Audience definitions become Ibis expressions: one definition, every engine, and no value pasted into SQL."""

import difflib
from datetime import datetime
from typing import Any, NamedTuple

import ibis

from catchment.audience.catalog import WHOSE, Catalog
from catchment.audience.comparison import AT_LEAST_ONCE, Comparison, OtherColumn
from catchment.audience.condition import All, AnyOf, Event, MemberOf, Node, Not, Property, Related, Score, Sequence
from catchment.audience.definition import Audience, Top, walk
from catchment.audience.facts import FACT, event_fact, lookup_fact, member_fact, related_fact, score_fact, sequence_fact
from catchment.audience.values import Scope, compare, near, refusal, within
from catchment.errors import LakeError
from catchment.tables import PROPENSITY_SCORES

PERSON = "person_id"


class Compiled(NamedTuple):
    """The parent with the facts of all conditions beside it, and each condition's truth, never null, by its place."""

    table: Any
    key: str
    predicates: dict[str, Any]


def compile_audience(audience: Audience, catalog: Catalog, now: datetime) -> Any:
    """Give the Ibis table of the members' keys as `person_id`, each once.

    Raises DefinitionError naming file, key and near miss where the definition does not fit the tables.
    """
    compiled = compile_conditions(audience, catalog, now)
    found = compiled.table.filter(compiled.predicates["where"])
    if audience.top is not None:
        found = _take_top(
            audience.top, found, compiled.key, Scope(audience.file, audience.parent, audience.parent, found, now)
        )
    if audience.cap is not None:
        found = _take_cap(audience.cap, found, compiled.key)
    return found.select(**{PERSON: found[compiled.key]}).distinct()


def compile_conditions(audience: Audience, catalog: Catalog, now: datetime) -> Compiled:
    """Give the truth of each condition for each row of the parent."""
    if audience.parent not in catalog.tables:
        raise LakeError(
            f"{audience.file}: the lake has no table '{audience.parent}' yet.", hint="`catchment run` fills it."
        )
    key = catalog.key(audience.parent)
    parent = catalog.tables[audience.parent]()
    scope = Scope(audience.file, audience.parent, audience.parent, parent, now)
    scope.column("parent", key)
    parent = parent.filter(parent[key].notnull())
    wide, aliases, absent = _widen(audience, catalog, scope._replace(table=parent), key)
    wide_scope = scope._replace(table=wide, aliases=aliases)
    predicates: dict[str, Any] = {}
    _predicate(audience.where, wide_scope, "where", absent, predicates)
    return Compiled(wide, key, predicates)


def _widen(audience: Audience, catalog: Catalog, scope: Scope, key: str) -> tuple[Any, dict[str, str], set[str]]:
    """Join to the parent what its conditions need of other tables; `absent` are conditions whose table never was."""
    wide, aliases, absent = scope.table, dict[str, str](), set[str]()
    facts = [
        (place, name, fact)
        for place, node in _on_parent(audience.where, "where")
        for name, fact in _facts(node, catalog, scope, place)
    ]
    for place, name, fact in facts:
        if fact is None:
            absent.add(place)
        elif name not in aliases:
            aliases[name] = f"{FACT}{len(aliases)}"
            wide = _join_fact(wide, fact, key, aliases[name])
    if audience.top is not None and audience.top.score is not None:
        wide = _join_score(wide, audience.top.score, catalog, key)
    return wide, aliases, absent


def _on_parent(condition: Node, place: str) -> Any:
    """Give the conditions that speak of the parent's rows, each with its place."""
    yield place, condition
    if isinstance(condition, All | AnyOf | Not):
        for step, inner in condition.inner():
            yield from _on_parent(inner, f"{place}.{step}")


def _facts(node: Node, catalog: Catalog, scope: Scope, place: str) -> Any:
    match node:
        case Property():
            for where, reference in _references(node, place):
                if "." in reference:
                    yield reference, lookup_fact(reference, catalog, scope, where)
        case Related():
            yield place, related_fact(node, catalog, scope, place)
        case Event():
            yield place, event_fact(node, catalog, scope, place)
        case Sequence():
            yield place, sequence_fact(node, catalog, scope, place)
        case Score():
            _require_scored(node.score, catalog, scope, f"{place}.score")
            yield place, score_fact(node, catalog, scope, place)
        case MemberOf():
            yield place, member_fact(node, catalog)


def _references(comparison: Comparison, place: str) -> list[tuple[str, str]]:
    word, value = comparison.comparison()
    values = value if isinstance(value, tuple) else (value,)
    others = [(f"{place}.{word}.column", one.column) for one in values if isinstance(one, OtherColumn)]
    return [(f"{place}.column", comparison.column), *others]


def _join_fact(wide: Any, fact: Any, key: str, alias: str) -> Any:
    named = fact.select(**{f"{alias}_key": fact[WHOSE], alias: fact[FACT]})
    joined = wide.left_join(named, wide[key] == named[f"{alias}_key"])
    return joined.select(*wide.columns, alias)


def _join_score(wide: Any, prediction: str, catalog: Catalog, key: str) -> Any:
    scores = catalog.tables[PROPENSITY_SCORES.name]()
    named = scores.filter(scores.prediction == prediction).select(_scored=scores.person_id, _score=scores.score)
    return wide.left_join(named, wide[key] == named._scored).select(*wide.columns, "_score")


def _predicate(condition: Node, scope: Scope, place: str, absent: set[str], into: dict[str, Any]) -> Any:
    """Compile one condition to a predicate that is never null, and keep it and all inside it by their places."""
    into[place] = None  # a condition stands before those inside it
    inner = (
        [_predicate(node, scope, f"{place}.{step}", absent, into) for step, node in condition.inner()]
        if isinstance(condition, All | AnyOf | Not)
        else []
    )
    match condition:
        case All():
            into[place] = ibis.and_(*inner)
        case AnyOf():
            into[place] = ibis.or_(*inner)
        case Not():
            into[place] = ~inner[0]
        case Property():
            into[place] = compare(condition, scope, place)
        case Related() if condition.total() is not None:
            into[place] = _is_total_within(condition, scope, place)
        case Related():
            into[place] = within(_fact(scope, place).fill_null(0), condition.count or AT_LEAST_ONCE, scope, place)
        case Event() if condition.occurrence == "any":
            into[place] = within(_fact(scope, place).fill_null(0), condition.count, scope, place)
        case _:
            into[place] = ibis.literal(False) if place in absent else _fact(scope, place).fill_null(0) == 1
    return into[place]


def _fact(scope: Scope, place: str) -> Any:
    return scope.table[scope.aliases[place]]


def _is_total_within(condition: Related, scope: Scope, place: str) -> Any:
    fact = _fact(scope, place)
    if condition.distinct is not None:
        fact = fact.fill_null(0)
    if condition.value is None:
        raise TypeError("a total has bounds; the definition was not validated")
    return within(fact, condition.value, scope, f"{place}.value")


def _require_scored(prediction: str, catalog: Catalog, scope: Scope, place: str) -> None:
    """Refuse a misspelt prediction; one that has no model yet has scored nobody, and that is no fault."""
    if PROPENSITY_SCORES.name not in catalog.tables:
        return
    scores = catalog.tables[PROPENSITY_SCORES.name]()
    if not _has_rows(scores):
        return
    scored = scores.select("prediction").distinct().to_pyarrow()["prediction"].to_pylist()
    if prediction not in scored and difflib.get_close_matches(prediction, scored, n=1):
        raise refusal(scope, place, f"no prediction '{prediction}' has scores", hint=near(prediction, scored))


def _has_rows(table: Any) -> bool:
    """Say whether a table stands in an engine; one that was only declared has nothing to be asked."""
    return not isinstance(table.op(), ibis.expr.operations.UnboundTable)


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """Call the engine's own function; all of them have it under this name."""


def _take_top(top: Top, found: Any, key: str, scope: Scope) -> Any:
    """Keep the first rows by a column; those without a value come last, and the key breaks ties."""
    by = found["_score"] if top.score is not None else scope.column("top.by", top.by or "")
    ordered = [by.desc(nulls_first=False) if top.order == "desc" else by.asc(nulls_first=False), found[key]]
    ranked = found.mutate(_place=ibis.row_number().over(order_by=ordered), _all=found.count().over(ibis.window()))
    if top.count is not None:
        return ranked.filter(ranked._place < top.count)
    return ranked.filter(ranked._place < (ranked._all * ((top.percent or 0) / 100)).ceil())


def _take_cap(cap: int, found: Any, key: str) -> Any:
    """Keep so many, drawn by a hash of the key, so that who was drawn yesterday is drawn today."""
    drawn = md5(found[key].cast("string"))
    ranked = found.mutate(_draw=ibis.row_number().over(order_by=[drawn, found[key]]))
    return ranked.filter(ranked._draw < cap)


def named_audiences(audience: Audience) -> set[str]:
    """Name the other audiences that a definition speaks of."""
    return {node.member_of for _, node in walk(audience.where) if isinstance(node, MemberOf)}
