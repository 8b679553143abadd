"""The cross-domain parameter `_sp` of a page's URL: who the visitor was on the site that linked here, and when."""

import re
from datetime import UTC, datetime
from urllib.parse import parse_qsl

WRONG = "_sp: milliseconds since 1970, of a year up to 9999, were expected after the first dot."
"""What an event is flagged with whose link carries no moment where one should be."""

_MOMENT = re.compile(r"[0-9]{1,15}")
_YEAR_10000_MS = 253_402_300_800_000


def read_link(query: str) -> list[str]:
    """Give the parts of `_sp`, as they stand between its dots; of several the last counts, as Snowplow has it."""
    return dict(parse_qsl(query)).get("_sp", "").split(".") if "_sp=" in query else [""]


def read_moment(text: str) -> datetime | None:
    """Read milliseconds since 1970; None where the text is none, or beyond the year 9999."""
    if not _MOMENT.fullmatch(text) or int(text) >= _YEAR_10000_MS:
        return None
    return datetime.fromtimestamp(int(text) / 1000, UTC)
