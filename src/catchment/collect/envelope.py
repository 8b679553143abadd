"""What a payload says about its request besides the body: when, where from, by whom."""

import ipaddress
import re
from datetime import datetime
from functools import lru_cache
from os import register_at_fork, urandom

from catchment.collect.log import Payload
from catchment.collect.request import (
    OUR_HEADERS,
    OVERSIZE_HEADER,
    PACKED_HEADER,
    SOURCE_HEADER,
    UNREADABLE_HEADER,
    Request,
)

UNKNOWN_IP = "unknown"
IDENTIFYING_HEADERS = frozenset(
    {
        "cookie",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "x-client-ip",
        "x-cluster-client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "cf-connecting-ipv6",
        "fastly-client-ip",
    }
)
"""Not kept of an anonymous request."""

NEVER_KEPT = OUR_HEADERS | {"authorization", "proxy-authorization"}
"""What only we say, and what is nobody's to read afterwards."""

NEVER_KEPT_OF_ANONYMOUS = NEVER_KEPT | IDENTIFYING_HEADERS

LONGEST_ADDRESS = 80

DRAWN_AT_ONCE = 64
_drawn: list[str] = []
register_at_fork(after_in_child=_drawn.clear)

_FORWARDED_FOR = re.compile(r'for="?([^";,]+)', re.IGNORECASE)


def to_payload(
    request: Request, network_userid: str | None, *, now: datetime, collector: str, trust_forwarded: bool
) -> Payload:
    """Make the payload; an anonymous one carries neither address nor any header that identifies."""
    header = request.named.get
    content_type = header("content-type")
    is_anonymous = request.is_anonymous
    return Payload(
        new_id(),
        now,
        collector,
        request.path,
        request.querystring or None,
        content_type.lower() if content_type else None,
        request.body.content or None,
        _hostname(header("host")),
        UNKNOWN_IP if is_anonymous else _client_address(request, trust_forwarded),
        header("user-agent"),
        header("referer"),
        _kept_headers(request, NEVER_KEPT_OF_ANONYMOUS if is_anonymous else NEVER_KEPT),
        network_userid,
    )


def new_id() -> str:
    """Draw a UUID of version 4; five times as fast as the standard library's, which asks the system for each."""
    try:
        digits = _drawn.pop()
    except IndexError:
        many = urandom(16 * DRAWN_AT_ONCE).hex()
        digits, *more = (many[at : at + 32] for at in range(0, len(many), 32))
        _drawn.extend(more)
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _kept_headers(request: Request, dropped: frozenset[str]) -> list[str]:
    kept = [f"{name}: {value}" for name, value in request.headers if name not in dropped]
    body = request.body
    if body.still_packed:
        kept.append(f"{PACKED_HEADER}: {body.still_packed}")
    if request.source:
        kept.append(f"{SOURCE_HEADER}: {request.source}")
    if request.unreadable:
        kept.append(f"{UNREADABLE_HEADER}: {request.unreadable}")
    if body.cut_from:
        kept.append(f"{OVERSIZE_HEADER}: {body.cut_from}")
    return kept


def _client_address(request: Request, trust_forwarded: bool) -> str:
    """Give the address that proxies say they speak for, where they are trusted, else the other end's."""
    if not trust_forwarded:
        return request.client
    header = request.named.get
    told = header("x-forwarded-for", "").partition(",")[0]
    if not told and (forwarded := header("forwarded")) and (found := _FORWARDED_FOR.search(forwarded)):
        told = found[1]
    told = told or header("x-real-ip", "")
    return (_address(told) if told and len(told) <= LONGEST_ADDRESS else None) or request.client


@lru_cache(maxsize=4096)
def _address(text: str) -> str | None:
    """Give the address without brackets and port, None where there is none."""
    text = text.strip()
    bare, _, port = text.rpartition(":")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif port.isdecimal() and bare and ":" not in bare:
        text = bare
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _hostname(host: str | None) -> str | None:
    """Give the host without its port."""
    if host is None:
        return None
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower() or None
