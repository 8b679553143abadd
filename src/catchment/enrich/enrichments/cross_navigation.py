"""Read who the visitor was on the site that linked here."""

import base64
import binascii
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column, fields, map_distinct
from catchment.enrich.link import WRONG, read_link, read_moment
from catchment.event import STRING, TIMESTAMP

ENTITY_COLUMN = "contexts_com_snowplowanalytics_snowplow_cross_navigation_1"
_ENTITY = pa.struct(
    [
        *(("domain_user_id", STRING), ("reason", STRING), ("session_id", STRING), ("source_id", STRING)),
        *(("source_platform", STRING), ("timestamp", TIMESTAMP), ("user_id", STRING)),
    ]
)
_LINK = pa.struct([("entity", pa.list_(_ENTITY)), ("user", STRING), ("moment", TIMESTAMP), ("wrong", STRING)])
_PARTS = ("domain_user_id", "timestamp", "session_id", "user_id", "source_id", "source_platform", "reason")
_CODED = ("user_id", "source_id", "reason")


class CrossNavigation(Enrichment):
    """Read who the visitor was on the site that linked here, from `_sp` in the page's URL, short or extended.

    Fills refr_domain_userid and refr_dvce_tstamp, and writes the entity `cross_navigation` where the link tells its
    moment. An `_sp` with something else where the moment should be flags the event.
    """

    def reads(self) -> tuple[str, ...]:
        return ("page_urlquery",)

    def writes(self) -> tuple[str, ...]:
        return (ENTITY_COLUMN, "refr_domain_userid", "refr_dvce_tstamp")

    def open(self, project_folder: Path) -> Step:
        return _enrich


def _enrich(events: pa.Table) -> Columns:
    found = fields(map_distinct(column(events, "page_urlquery"), _read, _LINK))
    columns = {"refr_domain_userid": found["user"], "refr_dvce_tstamp": found["moment"]}
    if found["entity"].null_count < len(found["entity"]):
        columns[ENTITY_COLUMN] = found["entity"]
    if pc.any(found["wrong"].is_valid()).as_py():
        columns[FLAG] = found["wrong"]
    return columns


def _read(query: str) -> dict[str, Any] | None:
    parts: dict[str, Any] = {name: part for name, part in zip(_PARTS, read_link(query), strict=False) if part}
    user, told = parts.get("domain_user_id"), parts.get("timestamp")
    if user is None:
        return None
    if told is None:
        return {"user": user}
    parts["timestamp"] = moment = read_moment(told)
    if moment is None:
        return {"wrong": WRONG}
    for name in _CODED:
        parts[name] = _decode(parts.get(name))
    return {"entity": [parts], "user": user, "moment": moment}


def _decode(text: str | None) -> str | None:
    """Decode base64url; what is none is taken as it stands."""
    if text is None:
        return None
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return text
