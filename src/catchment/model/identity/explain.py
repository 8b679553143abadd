"""Why is this person this person? Everything that the tables of identity say of an identifier."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catchment.errors import DefinitionError
from catchment.lake.engine import Session
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.spelling import spell


@dataclass(frozen=True)
class Line:
    """One fact about a person: when it began and ended, and what it is."""

    fact: str
    what: str
    detail: str
    since: datetime | None = None
    until: datetime | None = None


def candidates(text: str, settings: IdentitySettings) -> set[tuple[str, str]]:
    """Give the kinds and values that a text may mean: `KIND:VALUE`, or the bare value of any kind."""
    kind, _, value = text.partition(":")
    declared = settings.identifier(kind)
    meant = [(declared, value)] if declared is not None and value else []
    meant += [(identifier, text) for identifier in settings.identifiers]
    spelled = ((identifier.name, spell(told, identifier, settings)) for identifier, told in meant)
    return {(name, found) for name, found in spelled if found is not None}


def explain(session: Session, text: str, settings: IdentitySettings) -> list[Line]:
    """Tell of the person that an identifier, or a person_id, belongs to; raises DefinitionError where nobody does."""
    found = candidates(text, settings)
    values = _parameters({value for _, value in found} | {text})
    rows = _rows(
        session, f"select kind, value, person_id from identity_identifiers where value in ({_names(values)})", values
    )
    people = sorted({row["person_id"] for row in rows if (row["kind"], row["value"]) in found})
    people = people or _people_once(session, text)
    if not people:
        kinds = ", ".join(identifier.name for identifier in settings.identifiers)
        raise DefinitionError(
            f"Nobody is known as '{text}'.", hint=f"Write KIND:VALUE, of the kinds {kinds}; `catchment build` first."
        )
    return [line for person in people for line in [*_person(session, person), *_probable(session, person, settings)]]


def _people_once(session: Session, person: str) -> list[str]:
    """Give who a person_id is now: itself, or whoever it became part of."""
    now = _rows(session, "select distinct person_id from identity_identifiers where person_id = $p", {"p": person})
    merged = "select distinct current_id as person_id from identity_merges where person_id = $p"
    return sorted(row["person_id"] for row in now or _rows(session, merged, {"p": person}))


def _person(session: Session, person: str) -> list[Line]:
    who = {"p": person}
    hers = "(select kind, value from identity_identifiers where person_id = $p)"
    lines = [Line("person", person, "")]
    lines += [
        Line("identifier", _named(row), "", row["since"])
        for row in _rows(
            session,
            "select kind, value, first_seen_tstamp as since from identity_identifiers where person_id = $p"
            " order by since, kind, value",
            who,
        )
    ]
    lines += [
        Line(
            "edge",
            f"{_named(row, '_a')} - {_named(row, '_b')}",
            f"days: {row['days']}, {row['source']}",
            *_span(row),
        )
        for row in _rows(
            session,
            "select kind_a, value_a, kind_b, value_b, source, min(first_seen_tstamp) as since,"
            " max(last_seen_tstamp) as until, sum(days) as days from identity_edges"
            f" where (kind_a, value_a) in {hers} or (kind_b, value_b) in {hers}"
            " group by kind_a, value_a, kind_b, value_b, source order by since, value_a, value_b",
            who,
        )
    ]
    lines += [
        Line("history", _named(row), f"was {row['person_id']}", *_span(row))
        for row in _rows(
            session,
            "select kind, value, person_id, valid_from as since, valid_to as until from identity_history"
            f" where (kind, value) in {hers} and not is_current order by since, kind, value",
            who,
        )
    ]
    lines += [
        Line("merge", row["person_id"], f"into {row['survivor_id']}, by {_edge(row)}", row["since"])
        for row in _rows(
            session,
            "select person_id, survivor_id, merged_tstamp as since, kind_a, value_a, kind_b, value_b"
            " from identity_merges where current_id = $p order by since, person_id",
            who,
        )
    ]
    return lines + _conflicts(session, who, hers)


def _probable(session: Session, person: str, settings: IdentitySettings) -> list[Line]:
    """Tell what is likely of a person's identifiers, by the table that `links` names; none where there is none."""
    if settings.links is None:
        return []
    hers = "(select kind, value from identity_identifiers where person_id = $p)"
    rows = _rows(
        session,
        f'select * from "{settings.links}" where (kind_a, value_a) in {hers} or (kind_b, value_b) in {hers}'
        " order by score desc, value_a, value_b",
        {"p": person},
    )
    return [
        Line(
            "probable" if row["score"] >= settings.min_score else f"below {settings.min_score}",
            f"{_named(row, '_a')} - {_named(row, '_b')}",
            "; ".join(filter(None, [f"{row['score']:.3f}", row.get("because")])),
        )
        for row in rows
    ]


def _conflicts(session: Session, who: dict[str, Any], hers: str) -> list[Line]:
    rows = _rows(
        session,
        "select kind_a, value_a, kind_b, value_b, reason, kind, first_seen_tstamp as since, last_seen_tstamp as until"
        f" from identity_conflicts where (kind_a, value_a) in {hers} or (kind_b, value_b) in {hers}"
        " order by since, value_a, value_b",
        who,
    )
    return [
        Line("conflict", _edge(row), f"{row['reason']}{' of ' + row['kind'] if row['kind'] else ''}", *_span(row))
        for row in rows
    ]


def _edge(row: dict[str, Any]) -> str:
    return f"{_named(row, '_a')} - {_named(row, '_b')}" if row["kind_a"] else "another choice"


def _named(row: dict[str, Any], side: str = "") -> str:
    return f"{row['kind' + side]}:{row['value' + side]}"


def _span(row: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    return row["since"], row["until"]


def _parameters(values: Iterable[str]) -> dict[str, str]:
    return {f"v{number}": value for number, value in enumerate(sorted(values))}


def _names(parameters: dict[str, str]) -> str:
    return ", ".join(f"${name}" for name in parameters)


def _rows(session: Session, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = session.query(sql, parameters).read_all().to_pylist()
    return rows
