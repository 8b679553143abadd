"""The name of a schema: `iglu:vendor/name/format/MODEL-REVISION-ADDITION`, by Iglu's published grammar."""

import re
from functools import lru_cache
from typing import NamedTuple

_VERSION = r"(?P<model>[1-9][0-9]{0,8})-(?P<revision>0|[1-9][0-9]{0,8})-(?P<addition>0|[1-9][0-9]{0,8})"
# Anybody may send a key, and it becomes a path: each part is bounded, and a vendor never starts with a dot.
_URI = re.compile(
    r"iglu:(?P<vendor>[a-zA-Z0-9_-][a-zA-Z0-9_.-]{0,199})/(?P<name>[a-zA-Z0-9_-]{1,200})/"
    rf"(?P<format>[a-zA-Z0-9_-]{{1,200}})/{_VERSION}",
    re.ASCII,
)
_LONGEST = 700
"""No URI of that grammar is longer."""
_PART = r"\*|0|[1-9][0-9]{0,8}"
_CRITERION = re.compile(
    r"iglu:(?P<vendor>[a-zA-Z0-9_.*-]+)/(?P<name>[a-zA-Z0-9_*-]+)/(?P<format>[a-zA-Z0-9_*-]+)/"
    rf"(?P<version>(?:{_PART})-(?:{_PART})-(?:{_PART}))",
    re.ASCII,
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
        return _parse(uri) if len(uri) <= _LONGEST else None

    @property
    def path(self) -> str:
        """Where a registry keeps it, below its folder `schemas`."""
        return f"{self.vendor}/{self.name}/{self.format}/{self.version}"

    def __str__(self) -> str:
        return f"iglu:{self.path}"

    @property
    def family(self) -> tuple[str, str, str, int]:
        """Name the model it is a version of: data of all its versions shares a column."""
        return self.vendor, self.name, self.format, self.version.model


@lru_cache(maxsize=4096)
def _parse(uri: str) -> SchemaKey | None:
    """Remember what was read last: events name the same few schemas again and again."""
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    version = SchemaVer(int(match["model"]), int(match["revision"]), int(match["addition"]))
    return SchemaKey(match["vendor"], match["name"], match["format"], version)


class Criterion(NamedTuple):
    """A pattern of keys: `iglu:com.acme/*/jsonschema/1-*-*`; a part is its own value, or `*` for any."""

    vendor: str
    name: str
    format: str
    version: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Criterion | None":
        """Read a criterion, or a key as the criterion of itself; None where it is neither."""
        match = _CRITERION.fullmatch(text)
        if match is None:
            return None
        return cls(match["vendor"], match["name"], match["format"], tuple(match["version"].split("-")))

    def matches(self, key: SchemaKey) -> bool:
        """Say whether it is a pattern of this key."""
        asked = (self.vendor, self.name, self.format, *self.version)
        given = (*key[:3], *(str(number) for number in key.version))
        return all(part in ("*", value) for part, value in zip(asked, given, strict=True))
