"""Audience definitions become Ibis expressions: one definition, every engine, and no value pasted into SQL."""

import difflib
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import ibis

from catchment.audience.condition import All, AnyOf, MemberOf, Node, Not, Property, Range, Related, Score
from catchment.audience.definition import Audience, near
from catchment.errors import DefinitionError, LakeError
from catchment.tables import AUDIENCE_MEMBERS, PROPENSITY_SCORES

PERSON = "person_id"
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "is": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class _Scope(NamedTuple):
    """What a condition is compiled against: the table it speaks of, and what the audience may see beside it."""

    audience: Audience
    table_name: str
    table: Any
    tables: dict[str, Callable[[], Any]]
    now: datetime


def compile_audience(audience: Audience, backend: Any, now: datetime, *, stays: Any = None) -> Any:
    """Give the Ibis table of the members' `person_id`, each once; `backend` is what `session.ibis()` gave.

    `stays`, where given, is read for `audience_members`: it may be newer than what the session opened.
    Raises DefinitionError naming file, key and near miss where the definition does not fit the tables.
    """
    tables = {name: _opener(backend, name) for name in backend.list_tables()}
    if stays is not None:
        tables[AUDIENCE_MEMBERS.name] = lambda: stays
    if audience.parent not in tables:
        raise LakeError(
            f"{audience.file}: the lake has no table '{audience.parent}' yet.", hint="`catchment run` fills it."
        )
    parent = tables[audience.parent]()
    scope = _Scope(audience, audience.parent, parent, tables, now)
    _column(scope, "parent", PERSON)
    return parent.filter(parent[PERSON].notnull(), _predicate(audience.where, scope, "where")).select(PERSON).distinct()


def _opener(backend: Any, name: str) -> Callable[[], Any]:
    return lambda: backend.table(name)


def _predicate(condition: Node, scope: _Scope, place: str) -> Any:
    """Compile one condition to a predicate that is never null."""
    inner = (
        [_predicate(node, scope, f"{place}.{step}") for step, node in condition.inner()] if _nests(condition) else []
    )
    match condition:
        case All():
            return ibis.and_(*inner)
        case AnyOf():
            return ibis.or_(*inner)
        case Not():
            return ~inner[0]
        case Property():
            return _property(condition, scope, place)
        case Related():
            return _related(condition, scope, place)
        case Score():
            return _score(condition, scope, place)
        case MemberOf():
            return _member_of(condition, scope)
    raise TypeError(f"{type(condition).__name__} is no condition.")


def _nests(condition: Node) -> bool:
    """Say whether the inner conditions speak of the same table as the outer one."""
    return isinstance(condition, All | AnyOf | Not)


def _property(condition: Property, scope: _Scope, place: str) -> Any:
    word, value = condition.comparison()
    column = _column(scope, f"{place}.column", condition.column)
    where = f"{place}.{word}"
    match word:
        case "is_null":
            return column.isnull()
        case "not_null":
            return column.notnull()
        case "contains" | "starts_with":
            _require(column.type().is_string(), scope, where, f"'{condition.column}' is {column.type()}, not text")
            found = column.lower().contains(value.lower()) if word == "contains" else column.startswith(value)
        case "within_last_days":
            _require(_is_moment(column), scope, where, f"'{condition.column}' is {column.type()}, not a time")
            since = _fit(scope.now - timedelta(days=value), column, scope, where)
            found = column.between(since, _fit(scope.now, column, scope, where))
        case "in" | "not_in":
            found = column.isin([_fit(one, column, scope, where) for one in value])
        case "between":
            found = column.between(*(_fit(one, column, scope, where) for one in value))
        case _:
            found = COMPARISONS[word.removesuffix("_not")](column, _fit(value, column, scope, where))
    found = found.fill_null(False)
    return ~found if word in ("is_not", "not_in") else found


def _related(condition: Related, scope: _Scope, place: str) -> Any:
    if condition.related not in scope.tables:
        raise DefinitionError(
            f"{scope.audience.file}: {place}.related: the lake has no table '{condition.related}'.",
            hint=near(condition.related, scope.tables),
        )
    table = scope.tables[condition.related]()
    inner = scope._replace(table_name=condition.related, table=table)
    _column(inner, f"{place}.related", PERSON)
    rows = table.filter(table[PERSON].notnull())
    if condition.where is not None:
        rows = rows.filter(_predicate(condition.where, inner, f"{place}.where"))
    counted = rows.group_by(PERSON).agg(rows=rows.count())
    # People without a row are in no group, so where a count of 0 is within bounds the others are found instead.
    if _is_within(0, condition.count):
        return ~scope.table[PERSON].isin(counted.filter(~_is_within(counted.rows, condition.count))[PERSON])
    return scope.table[PERSON].isin(counted.filter(_is_within(counted.rows, condition.count))[PERSON])


def _score(condition: Score, scope: _Scope, place: str) -> Any:
    if PROPENSITY_SCORES.name not in scope.tables:
        return ibis.literal(False)
    scores = scope.tables[PROPENSITY_SCORES.name]()
    scored = scores.select("prediction").distinct().to_pyarrow()["prediction"].to_pylist()
    # A prediction that has no model yet has scored nobody, and that is no fault; a misspelt one is.
    meant = [] if condition.score in scored else difflib.get_close_matches(condition.score, scored, n=1)
    _require(
        not meant,
        scope,
        f"{place}.score",
        f"no prediction '{condition.score}' has scores",
        hint=near(condition.score, scored),
    )
    found = scores.filter(scores.prediction == condition.score)
    if condition.label is not None:
        found = found.filter(found.label.isin(condition.label))
    if condition.decile is not None:
        found = found.filter(_is_within(found.decile, condition.decile))
    return scope.table[PERSON].isin(found[PERSON])


def _member_of(condition: MemberOf, scope: _Scope) -> Any:
    if AUDIENCE_MEMBERS.name not in scope.tables:
        return ibis.literal(False)
    stays = scope.tables[AUDIENCE_MEMBERS.name]()
    current = stays.filter(stays.audience == condition.member_of, stays.left_at.isnull())
    return scope.table[PERSON].isin(current[PERSON])


def _is_within(number: Any, bounds: Range) -> Any:
    """Compare a column, or a plain number, with all bounds."""
    held = [COMPARISONS[word](number, bound) for word, bound in bounds.bounds().items()]
    return all(held) if isinstance(number, int) else ibis.and_(*held)


def _column(scope: _Scope, place: str, name: str) -> Any:
    columns = scope.table.columns
    if name in columns:
        return scope.table[name]
    raise DefinitionError(
        f"{scope.audience.file}: {place}: the table '{scope.table_name}' has no column '{name}'.",
        hint=near(name, columns),
    )


def _fit(value: Any, column: Any, scope: _Scope, place: str) -> Any:
    """Give the value as a literal that compares with the column; raises DefinitionError where it cannot."""
    kind = column.type()
    if kind.is_temporal():
        value = _moment(value, scope, place)
        if kind.is_date():
            value = value.date()
        elif kind.timezone is None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        return ibis.literal(value, type=kind.copy(nullable=False))
    fits = (
        isinstance(value, bool)
        if kind.is_boolean()
        else isinstance(value, str)
        if kind.is_string()
        else kind.is_numeric() and isinstance(value, int | float) and not isinstance(value, bool)
    )
    _require(fits, scope, place, f"'{value}' cannot be compared with '{column.get_name()}', which is {kind}")
    return ibis.literal(value)


def _moment(value: Any, scope: _Scope, place: str) -> datetime:
    """Read a moment from a date, a time or their ISO text; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise DefinitionError(
            f"{scope.audience.file}: {place}: '{value}' is no date.",
            hint="Write it as 2026-01-31 or 2026-01-31T12:00:00Z.",
        ) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_moment(column: Any) -> bool:
    return bool(column.type().is_timestamp() or column.type().is_date())


def _require(
    fact: bool, scope: _Scope, place: str, otherwise: str, *, hint: str = "docs/audience.md shows every condition."
) -> None:
    if not fact:
        raise DefinitionError(f"{scope.audience.file}: {place}: {otherwise}.", hint=hint)
