"""Who is in an audience: now by the lake's record, or as its definition would have it."""

from datetime import UTC, datetime

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience.compile import PERSON, compile_audience
from catchment.audience.condition import MemberOf
from catchment.audience.definition import Audience, walk
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS


def current_members(lake: Lake, audience: str) -> pa.Table:
    """Give the stays in an audience, by its name, that have not ended."""
    stays = lake.read(AUDIENCE_MEMBERS.name, filters=[("audience", "=", audience)])
    return stays.filter(pc.is_null(stays["left_at"]))


def matching(audience: Audience, session: Session, lake: Lake, now: datetime) -> pa.ChunkedArray:
    """Give the person_id of everybody for whom the definition is true, each once.

    The other audiences that it names are read as they stand now, also those refreshed since the session was opened.
    """
    backend = session.ibis()
    named = {node.member_of for _, node in walk(audience.where) if isinstance(node, MemberOf)}
    stays = ibis.memtable(pa.concat_tables(current_members(lake, name) for name in sorted(named))) if named else None
    found = backend.to_pyarrow(compile_audience(audience, backend, now, stays=stays))
    return found[PERSON].cast(pa.string())


def preview(audience: Audience, session: Session, now: datetime | None = None) -> int:
    """Count the people for whom the definition is true, changing nothing."""
    backend = session.ibis()
    members = compile_audience(audience, backend, now or datetime.now(UTC))
    return int(backend.to_pyarrow(members.count()).as_py())
