"""Part the page's and the referrer's URL, and read the cross-domain parameter `_sp`."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column, fields, map_distinct
from catchment.enrich.link import WRONG, read_link, read_moment
from catchment.event import INT, STRING, TIMESTAMP

_PARTS = pa.struct(
    [
        ("scheme", STRING), ("host", STRING), ("port", INT), ("path", STRING), ("query", STRING), ("fragment", STRING),
    ]
)  # fmt: skip
_LINK = pa.struct([("refr_domain_userid", STRING), ("refr_dvce_tstamp", TIMESTAMP), (FLAG, STRING)])
_SOURCES = (("page_url", "page_url"), ("page_referrer", "refr_url"))


class PageUrl(Enrichment):
    """Part the page's and the referrer's URL, and read the cross-domain parameter `_sp`.

    Nothing is percent-decoded. A URL that cannot be parted is kept whole, its parts are null, and the event
    is flagged: it is not lost for it. The same for an `_sp` with something else where its moment should be.
    """

    def reads(self) -> tuple[str, ...]:
        return ("page_url", "page_referrer")

    def writes(self) -> tuple[str, ...]:
        return (
            *(prefix + part.name for _, prefix in _SOURCES for part in _PARTS),
            "refr_domain_userid",
            "refr_dvce_tstamp",
        )

    def open(self, project_folder: Path) -> Step:
        return _enrich


def _enrich(events: pa.Table) -> Columns:
    columns: Columns = {}
    for source, prefix in _SOURCES:
        parts = map_distinct(column(events, source), _part, _PARTS)
        columns |= {prefix + name: values for name, values in fields(parts).items()}
        lost = pc.and_(column(events, source).is_valid(), parts.is_null())
        if pc.any(lost).as_py():
            _flag(columns, pc.if_else(lost, f"{source}: not a URL that can be parted.", None))
    linked = fields(map_distinct(columns["page_urlquery"], _read_link, _LINK))
    wrong = linked.pop(FLAG)
    if wrong.null_count < len(wrong):
        _flag(columns, wrong)
    return columns | linked


def _flag(columns: Columns, flag: pa.Array) -> None:
    columns[FLAG] = pc.coalesce(columns[FLAG], flag) if FLAG in columns else flag


def _part(url: str) -> dict[str, str | int | None] | None:
    try:
        parts = urlsplit(url.replace(" ", "%20"))
        port = parts.port
    except ValueError:
        return None
    host = _host(parts) or None
    if host is not None and port is None:
        port = 443 if parts.scheme == "https" else 80
    is_opaque = host is None and parts.scheme != "" and not parts.path.startswith("/")  # such as about:blank
    return {
        "scheme": parts.scheme or None,
        "host": host,
        "port": port,
        "path": None if is_opaque else parts.path or None,
        "query": None if is_opaque else parts.query or None,
        "fragment": parts.fragment or None,
    }


def _host(parts: SplitResult) -> str:
    """Give the host as it is written, without user and port; `hostname` would turn it into lower case."""
    return re.sub(r":\d*$", "", parts.netloc.rpartition("@")[2])


def _read_link(query: str) -> dict[str, Any] | None:
    user, *rest = read_link(query)
    if not user:
        return None
    if not rest or not rest[0]:
        return {"refr_domain_userid": user}
    moment = read_moment(rest[0])
    return {FLAG: WRONG} if moment is None else {"refr_domain_userid": user, "refr_dvce_tstamp": moment}
