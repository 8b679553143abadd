"""Read who the visitor was on the site that linked here."""

import base64
import binascii
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column, fields, map_distinct
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
_YEAR_10000_MS = 253_402_300_800_000


class CrossNavigation(Enrichment):
    """Read who the visitor was on the site that linked here, from `_sp` in the page's URL, short or extended.

    Fills refr_domain_userid and refr_dvce_tstamp, and writes the entity `cross_navigation`. An `_sp` with no moment in
    it flags the event.
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
    link = next((value for key, value in parse_qsl(query) if key == "_sp"), "")
    parts: dict[str, Any] = {name: part for name, part in zip(_PARTS, link.split("."), strict=False) if part}
    user, moment = parts.get("domain_user_id"), parts.get("timestamp")
    if user is None:
        return None
    if moment is not None:
        if not moment.isascii() or not moment.isdigit() or int(moment[:16]) >= _YEAR_10000_MS:
            return {"wrong": "_sp: milliseconds since 1970 were expected after the first dot."}
        parts["timestamp"] = moment = datetime.fromtimestamp(int(moment) / 1000, UTC)
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
