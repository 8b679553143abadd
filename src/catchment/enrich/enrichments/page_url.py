"""Part the page's and the referrer's URL, and read the cross-domain parameter `_sp`."""

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enrichment import FLAG, Columns, Enrichment, Step, column, fields, map_distinct
from catchment.event import INT, STRING, TIMESTAMP

_PARTS = pa.struct(
    [
        ("scheme", STRING), ("host", STRING), ("port", INT), ("path", STRING), ("query", STRING), ("fragment", STRING),
    ]
)  # fmt: skip
_LINK = pa.struct([("refr_domain_userid", STRING), ("refr_dvce_tstamp", TIMESTAMP)])
_SOURCES = (("page_url", "page_url"), ("page_referrer", "refr_url"))
_YEAR_10000_MS = 253_402_300_800_000


class PageUrl(Enrichment):
    """Part the page's and the referrer's URL, and read the cross-domain parameter `_sp`.

    Nothing is percent-decoded. A URL that cannot be parted is kept whole, its parts are null, and the event
    is flagged: it is not lost for it.
    """

    def reads(self) -> tuple[str, ...]:
        return ("page_url", "page_referrer")

    def writes(self) -> tuple[str, ...]:
        return (*(prefix + part.name for _, prefix in _SOURCES for part in _PARTS), *(part.name for part in _LINK))

    def open(self, project_folder: Path) -> Step:
        return _enrich


def _enrich(events: pa.Table) -> Columns:
    columns: Columns = {}
    for source, prefix in _SOURCES:
        parts = map_distinct(column(events, source), _part, _PARTS)
        columns |= {prefix + name: values for name, values in fields(parts).items()}
        lost = pc.and_(column(events, source).is_valid(), parts.is_null())
        if pc.any(lost).as_py():
            flag = pc.if_else(lost, f"{source}: not a URL that can be parted.", None)
            columns[FLAG] = pc.coalesce(columns[FLAG], flag) if FLAG in columns else flag
    return columns | fields(map_distinct(columns["page_urlquery"], _read_link, _LINK))


def _part(url: str) -> dict[str, str | int | None] | None:
    try:
        parts = urlsplit(url.replace(" ", "%20"))
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname:
        return None
    return {
        "scheme": parts.scheme,
        "host": _host(parts),
        "port": port or (443 if parts.scheme == "https" else 80),
        "path": parts.path or None,
        "query": parts.query or None,
        "fragment": parts.fragment or None,
    }


def _host(parts: SplitResult) -> str:
    """Give the host as it is written, without user and port; `hostname` would turn it into lower case."""
    return re.sub(r":\d*$", "", parts.netloc.rpartition("@")[2])


def _read_link(query: str) -> dict[str, str | datetime] | None:
    link = next((value for key, value in parse_qsl(query) if key == "_sp"), "")
    user, _, rest = link.partition(".")
    moment = rest.split(".")[0]
    if not user or not moment.isascii() or not moment.isdigit() or int(moment) >= _YEAR_10000_MS:
        return None
    return {"refr_domain_userid": user, "refr_dvce_tstamp": datetime.fromtimestamp(int(moment) / 1000, UTC)}
