"""Who is in an audience: by the lake's record, now or then, or as its definition would have it."""

from datetime import datetime
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from catchment.audience import AudienceSettings
from catchment.audience.catalog import Catalog, open_catalog
from catchment.audience.compile import PERSON, compile_audience, named_audiences
from catchment.audience.definition import Audience
from catchment.lake.engine import Session
from catchment.lake.lake import Lake
from catchment.tables import AUDIENCE_MEMBERS


def stays_of(lake: Lake, audience: str) -> pa.Table:
    """Give all stays in an audience, by its name, those that ended too."""
    return lake.read(AUDIENCE_MEMBERS.name, filters=[("audience", "=", audience)])


def current_members(lake: Lake, audience: str) -> pa.Table:
    """Give the stays in an audience, by its name, that have not ended."""
    stays = stays_of(lake, audience)
    return stays.filter(pc.is_null(stays["left_at"]))


def members_at(lake: Lake, audience: str, moment: datetime) -> pa.Table:
    """Give the stays of those who were in an audience at a moment: entered by then, and not yet left."""
    stays = stays_of(lake, audience)
    then = pa.scalar(moment, stays.schema.field("entered_at").type)
    had_left = pc.fill_null(pc.less_equal(stays["left_at"], then), False)
    return stays.filter(pc.and_(pc.less_equal(stays["entered_at"], then), pc.invert(had_left)))


def fresh_catalog(audience: Audience, session: Session, lake: Lake, settings: AudienceSettings) -> tuple[Any, Catalog]:
    """Give the Ibis backend and its tables, with the audiences that a definition names as they stand now.

    A session sees tables as they were when it was opened; audiences refreshed since then are read anew.
    """
    backend = session.ibis()
    catalog = open_catalog(backend, settings)
    named = named_audiences(audience)
    if named:
        stays = pa.concat_tables(stays_of(lake, name) for name in sorted(named))
        catalog = catalog.with_table(AUDIENCE_MEMBERS.name, ibis.memtable(stays))
    return backend, catalog


def matching(
    audience: Audience, session: Session, lake: Lake, now: datetime, settings: AudienceSettings | None = None
) -> pa.ChunkedArray:
    """Give the key of everybody for whom the definition is true, each once, as text.

    Who is in an audience that stands before this one in a list of `audience.priorities` is left to that one.
    """
    settings = settings or AudienceSettings()
    backend, catalog = fresh_catalog(audience, session, lake, settings)
    found = backend.to_pyarrow(compile_audience(audience, catalog, now))[PERSON].cast(pa.string())
    for name in _dearer(audience.name, settings):
        taken = current_members(lake, name)[PERSON].combine_chunks()
        found = found.filter(pc.invert(pc.is_in(found, value_set=taken)))
    return found


def _dearer(name: str, settings: AudienceSettings) -> list[str]:
    lists = [names for names in settings.priorities.values() if name in names]
    return list(dict.fromkeys(other for names in lists for other in names[: names.index(name)]))
