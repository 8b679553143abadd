"""Bring an audience's membership level with its definition: who is new enters, who no longer fits leaves."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience.compile import PERSON
from catchment.audience.definition import Audience
from catchment.audience.members import current_members, matching
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS, AUDIENCE_RUNS

EVERYBODY = "all"
"""The one arm of an audience that holds nobody out."""


@dataclass(frozen=True)
class RefreshReport:
    """What a refresh came to."""

    audience: str
    size: int
    entered: int
    left: int


def refresh(audience: Audience, session: Session, lake: Lake, now: datetime) -> RefreshReport:
    """Write who entered and who left, in one commit; where nobody did, `audience_members` gets no new version.

    A stay is never deleted: leaving ends it, and coming back begins another.
    """
    wanted = matching(audience, session, lake, now)
    stays = current_members(lake, audience.name)
    entered = _begin(audience.name, wanted.filter(pc.invert(_is_in(wanted, stays[PERSON]))), now)
    left = _end(stays.filter(pc.invert(_is_in(stays[PERSON], wanted))), now)
    if entered.num_rows or left.num_rows or not lake.exists(AUDIENCE_MEMBERS.name):
        lake.merge(AUDIENCE_MEMBERS.name, pa.concat_tables([entered, left]))
    report = RefreshReport(audience.name, size=len(wanted), entered=entered.num_rows, left=left.num_rows)
    _record(audience, report, lake, now)
    return report


def _is_in(people: pa.ChunkedArray, others: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_in(people, value_set=others.combine_chunks())


def _begin(name: str, people: pa.ChunkedArray, now: datetime) -> pa.Table:
    count = len(people)
    schema = AUDIENCE_MEMBERS.schema
    columns = {
        "audience": pa.repeat(pa.scalar(name), count),
        PERSON: people,
        "arm": pa.repeat(pa.scalar(EVERYBODY), count),
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
