"""Keep some of the request's cookies."""

from functools import partial
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import HEADERS, Columns, Enrichment, Step, column, map_distinct
from catchment.event import STRING

ENTITY_COLUMN = "contexts_org_ietf_http_cookie_1"
_ENTITY = pa.struct([("name", STRING), ("value", STRING)])


class Cookie(Enrichment):
    """Keep some of the request's cookies, each as an entity `http_cookie`; only first-party ones reach a collector."""

    names: list[str] = Field(min_length=1, description="Cookies to keep; upper and lower case are the same.")

    def reads(self) -> tuple[str, ...]:
        return (HEADERS,)

    def writes(self) -> tuple[str, ...]:
        return (ENTITY_COLUMN,)

    def open(self, project_folder: Path) -> Step:
        return partial(_enrich, frozenset(name.lower() for name in self.names))


def _enrich(names: frozenset[str], events: pa.Table) -> Columns:
    headers = pa.array(["\n".join(row or ()) for row in column(events, HEADERS).to_pylist()], STRING)
    return {ENTITY_COLUMN: map_distinct(headers, partial(_read, names), pa.list_(_ENTITY))}


def _read(names: frozenset[str], headers: str) -> list[dict[str, str]] | None:
    found = []
    for header in headers.split("\n"):
        title, _, content = header.partition(":")
        if title.strip().lower() != "cookie":
            continue
        pairs = (pair.strip().partition("=") for pair in content.split(";"))
        found += [{"name": name, "value": value} for name, _, value in pairs if name.lower() in names]
    return found or None
