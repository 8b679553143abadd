"""Comparisons become Ibis predicates that are never null; a value that does not fit its column is refused."""

import difflib
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import ibis

from catchment.audience.comparison import Comparison, OtherColumn, RelativeMoment, Stated
from catchment.errors import DefinitionError

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "is": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class Scope(NamedTuple):
    """What a comparison speaks of: a table, by its name, in one file's audience, as of one moment (UTC)."""

    file: str
    parent: str
    table_name: str
    table: Any
    now: datetime
    aliases: Mapping[str, str] = {}

    def column(self, place: str, name: str) -> Any:
        """Give a column; raises DefinitionError naming the near one where there is none."""
        known = self.aliases.get(name, name)
        if known in self.table.columns:
            return self.table[known]
        shown = [column for column in self.table.columns if not column.startswith("_")]
        raise refusal(self, place, f"the table '{self.table_name}' has no column '{name}'", hint=near(name, shown))


def refusal(
    scope: Scope, place: str, fault: str, *, hint: str = "docs/audience.md shows every condition."
) -> DefinitionError:
    """Make the error that names the file, the place in it, and the mend."""
    return DefinitionError(f"{scope.file}: {place}: {fault}.", hint=hint)


def near(name: str, names: Any) -> str:
    """Say which of the names was meant, or which there are."""
    close = difflib.get_close_matches(name, list(names), n=1)
    there_are = f"There are: {', '.join(sorted(names)) or 'none'}."
    return f"Did you mean '{close[0]}'? {there_are}" if close else there_are


def compare(comparison: Comparison, scope: Scope, place: str) -> Any:
    """Compile a comparison; an empty value makes it false, and `is_not` and `not_in` true."""
    word, value = comparison.comparison()
    column = scope.column(f"{place}.column", comparison.column)
    if word == "is_null":
        return column.isnull()
    if word == "not_null":
        return column.notnull()
    found = _found(word, value, column, scope, f"{place}.{word}").fill_null(False)
    return ~found if word in ("is_not", "not_in") else found


def _found(word: str, value: Any, column: Any, scope: Scope, where: str) -> Any:
    match word:
        case "contains" | "starts_with" | "ends_with":
            return _text(word, value, column, scope, where)
        case "within_last_days":
            return _between_moments(column, -value, 0, scope, where)
        case "within_next_days":
            return _between_moments(column, 0, value, scope, where)
        case "includes":
            if not column.type().is_array():
                raise refusal(scope, where, f"'{column.get_name()}' is {column.type()}, not a list")
            return column.contains(ibis.literal(value))
        case "in" | "not_in":
            return column.isin([fit(one, column, scope, where) for one in value])
        case "between":
            return column.between(*(fit(one, column, scope, where) for one in value))
    return COMPARISONS[word.removesuffix("_not")](column, fit(value, column, scope, where))


def _text(word: str, value: str, column: Any, scope: Scope, where: str) -> Any:
    if not column.type().is_string():
        raise refusal(scope, where, f"'{column.get_name()}' is {column.type()}, not text")
    match word:
        case "contains":
            return column.lower().contains(value.lower())
        case "starts_with":
            return column.startswith(value)
    return column.endswith(value)


def _between_moments(column: Any, first_day: float, last_day: float, scope: Scope, where: str) -> Any:
    if not (column.type().is_timestamp() or column.type().is_date()):
        raise refusal(scope, where, f"'{column.get_name()}' is {column.type()}, not a time")
    bounds = (scope.now + timedelta(days=days) for days in (first_day, last_day))
    return column.between(*(fit(bound, column, scope, where) for bound in bounds))


def within(number: Any, bounds: Stated, scope: Scope, place: str) -> Any:
    """Compare a column with all bounds; an empty one is within none."""
    held = [COMPARISONS[word](number, fit(bound, number, scope, place)) for word, bound in bounds.bounds().items()]
    return ibis.and_(*held).fill_null(False)


def fit(value: Any, column: Any, scope: Scope, place: str) -> Any:
    """Give what the column is compared with, as a literal or a column; raises DefinitionError where it cannot be."""
    kind = column.type()
    if isinstance(value, OtherColumn):
        other = scope.column(f"{place}.column", value.column)
        if not _are_alike(kind, other.type()):
            raise refusal(scope, place, f"'{value.column}' is {other.type()} and cannot be compared with {kind}")
        return other
    if kind.is_temporal():
        moment = _moment(value, scope, place)
        if kind.is_date():
            return ibis.literal(moment.date(), type=kind.copy(nullable=False))
        if kind.timezone is None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        return ibis.literal(moment, type=plain(kind))
    if not _fits(value, kind):
        said = f"{value.days:g} days from now" if isinstance(value, RelativeMoment) else value
        raise refusal(scope, place, f"'{said}' cannot be compared with '{column.get_name()}', which is {kind}")
    return ibis.literal(value)


def plain(kind: Any) -> Any:
    """Give the type without a precision, which Spark's timestamps do not take."""
    return kind.copy(scale=None) if kind.is_timestamp() else kind


def _fits(value: Any, kind: Any) -> bool:
    if kind.is_boolean():
        return isinstance(value, bool)
    if kind.is_string():
        return isinstance(value, str)
    return bool(kind.is_numeric()) and isinstance(value, int | float) and not isinstance(value, bool)


def _are_alike(one: Any, other: Any) -> bool:
    checks = ("is_numeric", "is_string", "is_temporal", "is_boolean")
    return any(getattr(one, check)() and getattr(other, check)() for check in checks)


def _moment(value: Any, scope: Scope, place: str) -> datetime:
    """Read a moment from a date, a time, their ISO text, or days from now; without a zone it is UTC."""
    if isinstance(value, RelativeMoment):
        return scope.now + timedelta(days=value.days)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        mend = "Write it as 2026-01-31 or 2026-01-31T12:00:00Z."
        raise refusal(scope, place, f"'{value}' is no date", hint=mend) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
