"""Blot out the end of every address."""

import ipaddress
from functools import partial
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, map_distinct
from catchment.event import STRING


class IpAnonymize(Enrichment):
    """Blot out the end of every address; stands after whatever looks addresses up, such as ip_lookup."""

    protects: ClassVar[bool] = True
    octets: int = Field(default=1, ge=1, le=4, description="Octets of an IPv4 address that become x, from the right.")
    segments: int = Field(default=5, ge=1, le=8, description="Segments of an IPv6 address that become x.")

    def reads(self) -> tuple[str, ...]:
        return ("user_ipaddress",)

    def writes(self) -> tuple[str, ...]:
        return ("user_ipaddress",)

    def open(self, project_folder: Path) -> Step:
        return partial(_enrich, self.octets, self.segments)


def _enrich(octets: int, segments: int, events: pa.Table) -> Columns:
    blotted = map_distinct(column(events, "user_ipaddress"), partial(_blot, octets, segments), STRING)
    return {"user_ipaddress": blotted}


def _blot(octets: int, segments: int, text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        if "." in text:
            return _end(text, ".", octets)
        return _end(text, ":", segments) if ":" in text else text
    if isinstance(address, ipaddress.IPv4Address):
        return _end(text, ".", octets)
    if address.ipv4_mapped is not None:  # what stands before the dots stays as it is written
        return _end(text if "." in text else f"::ffff:{address.ipv4_mapped}", ".", octets)
    written = (f"{int(segment, 16):x}" for segment in address.packed.hex(":", 2).split(":"))
    return _end(":".join(written), ":", segments)


def _end(text: str, separator: str, count: int) -> str:
    parts = text.split(separator)
    kept = max(len(parts) - count, 0)
    return separator.join([*parts[:kept], *("x" for _ in parts[kept:])])
