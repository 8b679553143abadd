"""Keep some of the request's headers."""

import re
from functools import partial
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import HEADERS, Columns, Enrichment, Step, column, map_distinct
from catchment.errors import SettingsError
from catchment.event import STRING

ENTITY_COLUMN = "contexts_org_ietf_http_header_1"
_ENTITY = pa.struct([("name", STRING), ("value", STRING)])


class HttpHeader(Enrichment):
    """Keep the request's headers whose name a pattern matches, each as an entity `http_header`."""

    pattern: str = Field(description="Regular expression for the whole name; upper and lower case are the same.")

    def reads(self) -> tuple[str, ...]:
        return (HEADERS,)

    def writes(self) -> tuple[str, ...]:
        return (ENTITY_COLUMN,)

    def open(self, project_folder: Path) -> Step:
        try:
            return partial(_enrich, re.compile(self.pattern, re.IGNORECASE))
        except re.error as error:
            raise SettingsError(
                f"The http_header enrichment's pattern {self.pattern} is none: {error}.",
                hint="Write a regular expression, such as 'X-.*|Referer'.",
            ) from error


def _enrich(pattern: re.Pattern[str], events: pa.Table) -> Columns:
    headers = pa.array(["\n".join(row or ()) for row in column(events, HEADERS).to_pylist()], STRING)
    return {ENTITY_COLUMN: map_distinct(headers, partial(_read, pattern), pa.list_(_ENTITY))}


def _read(pattern: re.Pattern[str], headers: str) -> list[dict[str, str]] | None:
    parted = (header.partition(":") for header in headers.split("\n"))
    return [
        {"name": name.strip(), "value": value.strip()}
        for name, colon, value in parted
        if colon and pattern.fullmatch(name.strip())
    ] or None
