"""Bring an audience's membership level with its definition: who is new enters, who no longer fits leaves."""

from collections import Counter, defaultdict
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience import AudienceSettings
from catchment.audience.compile import PERSON
from catchment.audience.definition import HOLDOUT, Audience, Split
from catchment.audience.members import matching, stays_of
from catchment.audience.split import EVERYBODY, choose_arm, stratified_arms
from catchment.audience.values import near
from catchment.errors import DefinitionError
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS, AUDIENCE_RUNS


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh came to; `held_out` counts those of the size that no destination hears of."""

    audience: str
    size: int
    entered: int
    left: int
    held_out: int = 0


def refresh(
    audience: Audience, session: Session, lake: Lake, now: datetime, settings: AudienceSettings | None = None
) -> RefreshReport:
    """Write who entered and who left, in one commit; where nobody did, `audience_members` gets no new version.

    A stay is never deleted: leaving ends it, and coming back begins another, in the same arm as before.
    """
    wanted = matching(audience, session, lake, now, settings)
    history = stays_of(lake, audience.name)
    stays = history.filter(pc.is_null(history["left_at"]))
    new = wanted.filter(pc.invert(_is_in(wanted, stays[PERSON])))
    entered = _begin(audience, new, history, _strata(audience, session, settings, wanted), now)
    left = _end(stays.filter(pc.invert(_is_in(stays[PERSON], wanted))), now)
    if entered.num_rows or left.num_rows or not lake.exists(AUDIENCE_MEMBERS.name):
        lake.merge(AUDIENCE_MEMBERS.name, pa.concat_tables([entered, left]))
    stayed = stays.filter(_is_in(stays[PERSON], wanted))
    held_out = sum(arm == HOLDOUT for part in (stayed, entered) for arm in part["arm"].to_pylist())
    report = RefreshReport(
        audience.name, size=len(wanted), entered=entered.num_rows, left=left.num_rows, held_out=held_out
    )
    _record(audience, report, lake, now)
    return report


def _is_in(people: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(people, value_set=others.combine_chunks())


def _strata(
    audience: Audience, session: Session, settings: AudienceSettings | None, people: pa.ChunkedArray
) -> dict[str, Hashable]:
    """Give each person's values of the columns within which shares are kept; nothing where none are named."""
    if audience.split is None or not audience.split.stratify:
        return {}
    table = session.ibis().table(audience.parent)
    key = (settings or AudienceSettings()).parents.get(audience.parent)
    name = key.key if key is not None else PERSON
    for column in audience.split.stratify:
        if column not in table.columns:
            raise DefinitionError(
                f"{audience.file}: split.stratify: the table '{audience.parent}' has no column '{column}'.",
                hint=near(column, table.columns),
            )
    rows = session.ibis().to_pyarrow(table.select(name, *audience.split.stratify))
    values = zip(*(rows[column].to_pylist() for column in audience.split.stratify), strict=True)
    return dict(zip(rows[name].cast(pa.string()).to_pylist(), values, strict=True))


def _arms(audience: Audience, people: list[str], history: pa.Table, strata: dict[str, Hashable]) -> list[str]:
    """Give each of those who enter an arm; who was here before comes back into the arm of that time."""
    split = audience.split
    if split is None:
        return [EVERYBODY] * len(people)
    known = {
        person: arm
        for person, arm in zip(history[PERSON].to_pylist(), history["arm"].to_pylist(), strict=True)
        if arm in split.shares()
    }
    drawn = _drawn(audience.name, split, [person for person in people if person not in known], known, strata)
    return [known.get(person) or drawn[person] for person in people]


def _drawn(
    name: str, split: Split, people: list[str], known: dict[str, str], strata: dict[str, Hashable]
) -> dict[str, str]:
    shares = split.shares()
    if not split.stratify:
        return {person: choose_arm(name, person, shares) for person in people}
    held: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for person, arm in known.items():
        held[strata.get(person)][arm] += 1
    return stratified_arms(name, [(person, strata.get(person)) for person in people], shares, held)


def _begin(
    audience: Audience, people: pa.ChunkedArray, history: pa.Table, strata: dict[str, Hashable], now: datetime
) -> pa.Table:
    count = len(people)
    schema = AUDIENCE_MEMBERS.schema
    columns = {
        "audience": pa.repeat(pa.scalar(audience.name), count),
        PERSON: people,
        "arm": pa.array(_arms(audience, people.to_pylist(), history, strata), pa.string()),
        "entered_at": pa.repeat(pa.scalar(now, schema.field("entered_at").type), count),
        "left_at": pa.nulls(count, schema.field("left_at").type),
    }
    return pa.table([columns[field.name] for field in schema], schema=schema)


def _end(stays: pa.Table, now: datetime) -> pa.Table:
    schema = AUDIENCE_MEMBERS.schema
    place = schema.get_field_index("left_at")
    ended = pa.repeat(pa.scalar(now, schema.field(place).type), stays.num_rows)
    return stays.select(schema.names).cast(schema).set_column(place, schema.field(place), ended)


def _record(audience: Audience, report: RefreshReport, lake: Lake, now: datetime) -> None:
    run = {
        "audience": report.audience,
        "refreshed_at": now,
        "definition": audience.definition(),
        "size": report.size,
        "entered": report.entered,
        "left": report.left,
    }
    lake.append(AUDIENCE_RUNS.name, pa.Table.from_pylist([run], AUDIENCE_RUNS.schema))
