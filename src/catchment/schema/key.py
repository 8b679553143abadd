"""The name of a schema: `iglu:vendor/name/format/MODEL-REVISION-ADDITION`, by Iglu's published grammar."""

import re
from typing import NamedTuple

_VERSION = r"(?P<model>[1-9][0-9]*)-(?P<revision>0|[1-9][0-9]*)-(?P<addition>0|[1-9][0-9]*)"
_URI = re.compile(
    rf"iglu:(?P<vendor>[a-zA-Z0-9_.-]+)/(?P<name>[a-zA-Z0-9_-]+)/(?P<format>[a-zA-Z0-9_-]+)/{_VERSION}", re.ASCII
)


class SchemaVer(NamedTuple):
    """A version that sorts by age: a new MODEL breaks data, a REVISION may, an ADDITION does not."""

    model: int
    revision: int
    addition: int

    @classmethod
    def parse(cls, text: str) -> "SchemaVer | None":
        """Read `1-0-2`; None where it is no version."""
        match = re.fullmatch(_VERSION, text, re.ASCII)
        return None if match is None else cls(int(match["model"]), int(match["revision"]), int(match["addition"]))

    def __str__(self) -> str:
        return f"{self.model}-{self.revision}-{self.addition}"


class SchemaKey(NamedTuple):
    """One version of one schema."""

    vendor: str
    name: str
    format: str
    version: SchemaVer

    @classmethod
    def parse(cls, uri: str) -> "SchemaKey | None":
        """Read an Iglu URI; None where it is none."""
        match = _URI.fullmatch(uri)
        if match is None:
            return None
        version = SchemaVer(int(match["model"]), int(match["revision"]), int(match["addition"]))
        return cls(match["vendor"], match["name"], match["format"], version)

    @property
    def path(self) -> str:
        """Where a registry keeps it, below its folder `schemas`."""
        return f"{self.vendor}/{self.name}/{self.format}/{self.version}"

    def __str__(self) -> str:
        return f"iglu:{self.path}"
