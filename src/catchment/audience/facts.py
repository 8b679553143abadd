"""What other tables say of a parent's rows: one row for each of them, to be joined to the parent.

Joined rather than asked in a subquery: an engine may then show the truth of each condition beside the others.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import ibis

from catchment.audience.catalog import WHOSE, Catalog, related_rows
from catchment.audience.comparison import AT_LEAST_ONCE, NEVER
from catchment.audience.condition import (
    All,
    AnyOf,
    Event,
    MemberOf,
    Node,
    Not,
    Property,
    Related,
    Score,
    Sequence,
    Step,
)
from catchment.audience.relations import EventSource
from catchment.audience.values import Scope, compare, fit, near, plain, refusal, within
from catchment.tables import AUDIENCE_MEMBERS, PROPENSITY_SCORES

FACT = "_fact"
AT, ID = "_at", "_id"


def lookup_fact(reference: str, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give one column of a relation to one, by the parent's key."""
    name, _, column = reference.partition(".")
    relation = catalog.relation(name, scope.parent)
    if relation is not None and relation.cardinality != "one":
        mend = f"Count its rows with `related: {name}`, or set audience.related.{name}.cardinality to one."
        raise refusal(scope, place, f"'{name}' may have many rows for one of {scope.parent}", hint=mend)
    rows = related_rows(name, catalog, scope, place)
    told = scope._replace(table_name=name, table=rows).column(place, column)
    return rows.group_by(WHOSE).agg(**{FACT: told.max()})


def related_fact(condition: Related, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give the number of a related table's rows, or the total over them, by the parent's key."""
    rows = related_rows(condition.related, catalog, scope, f"{place}.related")
    inner = scope._replace(table_name=condition.related, table=rows, aliases={})
    if condition.where is not None:
        rows = rows.filter(row_predicate(condition.where, inner, f"{place}.where"))
    total = condition.total()
    if total is None:
        return rows.group_by(WHOSE).agg(**{FACT: rows.count()})
    word, name = total
    told = inner._replace(table=rows).column(f"{place}.{word}", name)
    if word in ("sum", "avg") and not told.type().is_numeric():
        raise refusal(scope, f"{place}.{word}", f"'{name}' is {told.type()}, not a number")
    return rows.group_by(WHOSE).agg(**{FACT: getattr(told, {"avg": "mean", "distinct": "nunique"}.get(word, word))()})


def event_fact(condition: Event, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give how often the events happened, or that the first or last of them fell within the window."""
    source, events = _open_events(catalog, scope, place)
    rows = _narrow(events, condition.names(), condition.where, source, scope._replace(table=events), place)
    window = _window(condition, scope, place, rows[source.tstamp])
    is_counted = condition.occurrence == "any" and condition.count not in (AT_LEAST_ONCE, NEVER)
    if window is not None and condition.occurrence == "any":
        rows = rows.filter(rows[source.tstamp].between(*window))
    columns = {WHOSE: rows[source.key], AT: rows[source.tstamp]}
    if is_counted and source.id:
        rows = rows.select(**columns, **{ID: rows[source.id]}).group_by(ID).agg(
            **{WHOSE: ibis._[WHOSE].max(), AT: ibis._[AT].min()}
        )  # fmt: skip
    else:
        rows = rows.select(**columns)
    measure: Callable[[Any], Any] = {
        "any": lambda table: table[FACT].sum(),
        "first": lambda table: table[FACT].min(),
        "last": lambda table: table[FACT].max(),
    }[condition.occurrence]
    per_key = rows.group_by(WHOSE).agg(
        **{FACT: rows.count() if condition.occurrence == "any" else _extreme(rows[AT], condition.occurrence)}
    )
    found = _mapped(per_key, source, catalog, scope).group_by(WHOSE).agg(**{FACT: measure(ibis._)})
    if condition.occurrence == "any" or window is None:
        return found
    return found.mutate(**{FACT: found[FACT].between(*window).cast("int64")})


def sequence_fact(condition: Sequence, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give who went through all steps in order: a step counts when the one before it was reached within the window."""
    source, events = _open_events(catalog, scope, place)
    marked = _marked_steps(condition, events, source, scope, place)
    rows = _mapped(marked, source, catalog, scope)
    flags = [f"_step{number}" for number in range(len(condition.steps()))]
    positive = flags[1:-1] if condition.is_denied else flags[1:]
    if positive:
        rows = _of_whom_may(rows, [flags[0], *positive])
    if not _are_apart(condition.steps()):
        rows = rows.group_by([WHOSE, AT]).agg(**{flag: rows[flag].max() for flag in flags})
    # Of events of one moment the later steps stand first, so that none is before or after another of them.
    order = [AT, *(ibis.desc(flag) for flag in reversed(flags[1:]))]
    window_s = round(condition.within_days * 86_400)
    window = ibis.interval(seconds=window_s)
    reached = rows[flags[0]] == 1
    if condition.within_last_days is not None:
        since = scope.now - timedelta(days=condition.within_last_days)
        reached = reached & (rows[AT] >= fit(since, rows[AT], scope, place))
    rows = rows.mutate(_reached=reached)
    for flag in positive:
        before = ibis.window(group_by=WHOSE, order_by=order, preceding=(None, 1))
        rows = rows.mutate(_before=rows._reached.ifelse(rows[AT], ibis.null(plain(rows[AT].type()))).max().over(before))
        rows = rows.mutate(_reached=((rows[flag] == 1) & (rows._before + window >= rows[AT])).fill_null(False))
    if condition.is_denied:
        after = ibis.window(group_by=WHOSE, order_by=order, following=(1, None))
        denied = (rows[flags[-1]] == 1).ifelse(rows[AT], ibis.null(plain(rows[AT].type()))).min().over(after)
        rows = rows.mutate(_after=denied)
        is_over = rows[AT] <= fit(scope.now - timedelta(seconds=window_s), rows[AT], scope, place)
        rows = rows.mutate(
            _reached=rows._reached & is_over & (rows._after.isnull() | (rows._after > rows[AT] + window))
        )
    return rows.filter(rows._reached).select(WHOSE).distinct().mutate(**{FACT: ibis.literal(1, "int64")})


def _are_apart(steps: tuple[Step, ...]) -> bool:
    """Say whether no event may be two of the steps, so that each row is one of them."""
    names = [name for step in steps for name in dict.fromkeys(step.names())]
    return len(names) == len(set(names))


def _of_whom_may(rows: Any, flags: list[str]) -> Any:
    """Keep the rows of who has an event for each step that must be: few, before any is put in order."""
    have = rows.group_by(WHOSE).agg(**{flag: rows[flag].max() for flag in flags})
    may = have.filter(ibis.and_(*(have[flag] == 1 for flag in flags))).select(_may=have[WHOSE])
    return rows.semi_join(may, rows[WHOSE] == may._may)


def score_fact(condition: Score, catalog: Catalog, scope: Scope, place: str) -> Any:
    """Give who has such a score; a prediction that has no model yet has scored nobody, and that is no fault."""
    if PROPENSITY_SCORES.name not in catalog.tables:
        return None
    scores = catalog.tables[PROPENSITY_SCORES.name]()
    found = scores.filter(scores.prediction == condition.score)
    if condition.label is not None:
        found = found.filter(found.label.isin(condition.label))
    if condition.decile is not None:
        found = found.filter(within(found.decile, condition.decile, scope, f"{place}.decile"))
    if condition.value is not None:
        found = found.filter(within(found.score, condition.value, scope, f"{place}.value"))
    return found.select(**{WHOSE: found.person_id}).distinct().mutate(**{FACT: ibis.literal(1, "int64")})


def member_fact(condition: MemberOf, catalog: Catalog) -> Any:
    """Give who is in another audience now, or ever was."""
    if AUDIENCE_MEMBERS.name not in catalog.tables:
        return None
    stays = catalog.tables[AUDIENCE_MEMBERS.name]()
    found = stays.filter(stays.audience == condition.member_of)
    if condition.ever is None:
        found = found.filter(found.left_at.isnull())
    return found.select(**{WHOSE: found.person_id}).distinct().mutate(**{FACT: ibis.literal(1, "int64")})


def row_predicate(condition: Node, scope: Scope, place: str) -> Any:
    """Compile a condition on the rows of another table than the parent's."""
    inner = (
        [row_predicate(node, scope, f"{place}.{step}") for step, node in condition.inner()] if _nests(condition) else []
    )
    match condition:
        case All():
            return ibis.and_(*inner)
        case AnyOf():
            return ibis.or_(*inner)
        case Not():
            return ~inner[0]
        case Property():
            return compare(condition, scope, place)
    raise refusal(
        scope,
        place,
        f"rows of '{scope.table_name}' can only be told by their columns",
        hint="Use all, any, not and column here.",
    )


def _nests(condition: Node) -> bool:
    return isinstance(condition, All | AnyOf | Not)


def _open_events(catalog: Catalog, scope: Scope, place: str) -> tuple[EventSource, Any]:
    source = catalog.settings.events.get(scope.parent)
    if source is None:
        raise refusal(
            scope, place, f"audience.events says nothing of '{scope.parent}'",
            hint=f"Declare audience.events.{scope.parent} in catchment.yml.",
        )  # fmt: skip
    if source.table not in catalog.tables:
        raise refusal(scope, place, f"the lake has no table '{source.table}'", hint=near(source.table, catalog.tables))
    events = catalog.tables[source.table]()
    known = scope._replace(table_name=source.table, table=events, aliases={})
    for column in (source.name, source.tstamp, source.key):
        known.column(f"audience.events.{scope.parent}", column)
    return source, events


def _narrow(
    events: Any, names: tuple[str, ...], where: Node | None, source: EventSource, scope: Scope, place: str
) -> Any:
    rows = events.filter(events[source.name].isin(names), events[source.key].notnull())
    if where is None:
        return rows
    told = scope._replace(table_name=source.table, table=rows, aliases={})
    return rows.filter(row_predicate(where, told, f"{place}.where"))


def _marked_steps(condition: Sequence, events: Any, source: EventSource, scope: Scope, place: str) -> Any:
    """Give the events of any step, each with a mark for every step that it may be."""
    told = scope._replace(table_name=source.table, table=events, aliases={})
    marks = {
        f"_step{number}": _is_step(step, events, source, told, f"{place}.sequence[{number}]")
        for number, step in enumerate(condition.steps())
    }
    rows = events.filter(events[source.key].notnull(), events[source.tstamp].notnull(), ibis.or_(*marks.values()))
    flags = {name: mark.cast("int64") for name, mark in marks.items()}
    return rows.select(**{WHOSE: events[source.key], AT: events[source.tstamp]}, **flags)


def _is_step(step: Step, events: Any, source: EventSource, scope: Scope, place: str) -> Any:
    is_named = events[source.name].isin(step.names()).fill_null(False)
    return is_named if step.where is None else is_named & row_predicate(step.where, scope, f"{place}.where")


def _window(condition: Event, scope: Scope, place: str, column: Any) -> tuple[Any, Any] | None:
    if condition.between is not None:
        first, last = (fit(bound, column, scope, f"{place}.between") for bound in condition.between)
        return first, last
    if condition.within_last_days is None:
        return None
    since = scope.now - timedelta(days=condition.within_last_days)
    return fit(since, column, scope, place), fit(scope.now, column, scope, place)


def _extreme(column: Any, occurrence: str) -> Any:
    return column.min() if occurrence == "first" else column.max()


def _mapped(rows: Any, source: EventSource, catalog: Catalog, scope: Scope) -> Any:
    """Call each owner by the parent's key: what the mapping says, else the owner's own name."""
    if not source.mapping or source.mapping not in catalog.tables:
        return rows
    mapping = catalog.tables[source.mapping]()
    key = catalog.key(scope.parent)
    names = mapping.select(_known=mapping[source.key], _name=mapping[key])
    joined = rows.left_join(names, rows[WHOSE] == names._known)
    kept = {name: joined[name] for name in rows.columns if name != WHOSE}
    return joined.select(**{WHOSE: ibis.coalesce(joined._name, joined[WHOSE])}, **kept)
