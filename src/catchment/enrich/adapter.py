"""What every adapter offers: the payloads of one protocol, parted into events of tracker parameters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from catchment.plugin import Plugin
from catchment.schema.resolver import Resolver
from catchment.schema.validate import Fault

PROTOCOL = "tracker_protocol_violations"
"""Kinds of failure are named as Snowplow names its bad rows."""


class Unreadable(Exception):
    """A payload, or one of its events, is not what its path promises; nothing of it is judged further."""

    def __init__(self, kind: str, faults: Sequence[Fault]) -> None:
        super().__init__(faults[0].message)
        self.kind = kind
        self.faults = list(faults)


class Part(NamedTuple):
    """One event of a payload: its tracker parameters, or why they are none."""

    parameters: dict[str, Any]
    unreadable: Unreadable | None = None


class Adapter(Plugin):
    """One protocol that arrives at the collector."""

    def accepts(self, path: str) -> bool:
        """Say whether payloads of this path are of this protocol."""
        raise NotImplementedError

    def part(self, payload: dict[str, Any], resolver: Resolver) -> list[Part]:
        """Part a payload (a row of `tables.PAYLOADS`) into events; raises Unreadable where that is not possible."""
        raise NotImplementedError
