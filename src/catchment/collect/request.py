"""One request, as HTTP says it; nothing of its body is judged here."""

from typing import NamedTuple

OVERSIZE_HEADER = "catchment-oversize"
"""Added to the headers of a payload whose body was cut: its value is the number of bytes that came."""

PACKED_HEADER = "catchment-packed"
"""Added to the headers of a payload whose body could not be unpacked, and is kept as it came: its value says why."""

SOURCE_HEADER = "catchment-source"
"""Added to the headers of a payload that came with a write key: its value is the name of the key's source."""

UNREADABLE_HEADER = "catchment-unreadable"
"""Added to the headers of a payload that came with values which are not ASCII: the names of those headers."""

OUR_HEADERS = frozenset({OVERSIZE_HEADER, PACKED_HEADER, SOURCE_HEADER, UNREADABLE_HEADER})

ANONYMOUS_HEADER = "sp-anonymous"


class Body(NamedTuple):
    """What is kept of a body: all, or its beginning where `cut_from` bytes came; unpacked, or why that cannot be."""

    content: bytes = b""
    cut_from: int = 0
    still_packed: str = ""


class Request:
    """A request; header names are in lower case, and the first of two with one name counts."""

    __slots__ = ("body", "client", "headers", "method", "named", "path", "querystring", "source", "unreadable")

    def __init__(self, method: str, path: str, querystring: str, headers: list[tuple[str, str]], client: str) -> None:
        self.method = method
        self.path = path
        self.querystring = querystring
        self.headers = headers
        self.client = client
        self.body = Body()
        self.source = ""
        self.unreadable = ""
        self.named = dict(reversed(headers))

    def header(self, name: str) -> str | None:
        """Give the first header of that name."""
        return self.named.get(name)

    @property
    def is_anonymous(self) -> bool:
        """Say whether the tracker asked not to be known (`SP-Anonymous`, any value)."""
        return ANONYMOUS_HEADER in self.named

    def cookie(self, name: str) -> str | None:
        """Give the first cookie of that name."""
        # Parted by hand: http.cookies drops every cookie after the first that breaks the RFC.
        for part in (self.named.get("cookie") or "").split(";"):
            key, _, value = part.partition("=")
            if key.strip() == name:
                return value.strip().strip('"')
        return None
