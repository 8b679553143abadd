"""One tracker request, as HTTP says it, becomes one payload; nothing of the body is judged here."""

import ipaddress
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from catchment import __version__
from catchment.collect import CookieSettings
from catchment.collect.log import Payload

OVERSIZE_HEADER = "catchment-oversize"
"""Added to the headers of a payload whose body was cut: its value is the number of bytes that came."""

ANONYMOUS_HEADER = "sp-anonymous"
IDENTIFYING_HEADERS = frozenset({"cookie", "x-forwarded-for", "x-real-ip", "forwarded"})
UNKNOWN_IP = "unknown"


class Request(NamedTuple):
    """What of an HTTP request a payload is made from; header names are in lower case."""

    path: str
    querystring: str
    headers: list[tuple[str, str]]
    client: str
    body: bytes | None = None
    body_bytes: int = 0

    def header(self, name: str) -> str | None:
        """Give the first header of that name."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_anonymous(self) -> bool:
        """Say whether the tracker asked not to be known (`SP-Anonymous`, any value)."""
        return self.header(ANONYMOUS_HEADER) is not None


def to_payload(request: Request, network_userid: str | None, now: datetime, collector: str) -> Payload:
    """Make the payload; an anonymous one carries neither address nor any header that identifies."""
    content_type = request.header("content-type")
    return Payload(
        payload_id=str(uuid.uuid4()),
        collector_tstamp=now,
        collector=f"catchment-{__version__}-{collector}",
        path=request.path,
        querystring=request.querystring or None,
        content_type=content_type.lower() if content_type else None,
        body=request.body or None,
        hostname=_hostname(request.header("host")),
        ip_address=UNKNOWN_IP if request.is_anonymous else _client_ip(request),
        useragent=request.header("user-agent"),
        referer_uri=request.header("referer"),
        headers=_kept_headers(request),
        network_userid=network_userid,
    )


def choose_network_userid(
    request: Request, cookie: CookieSettings, new_id: Callable[[], uuid.UUID] = uuid.uuid4
) -> str | None:
    """Choose who this browser is: the `nuid` parameter, else its cookie, else somebody new; None when anonymous.

    A cookie that is no UUID is not ours, and would fail its events downstream: it is replaced.
    """
    if request.is_anonymous:
        return None
    asked = parse_qs(request.querystring).get("nuid")
    if asked:
        return asked[0]
    held = _read_cookie(request.header("cookie") or "", cookie.name)
    return held if held is not None and _is_uuid(held) else str(new_id())


def set_cookie(request: Request, network_userid: str | None, cookie: CookieSettings) -> str | None:
    """Give the Set-Cookie value, None where no cookie may be set."""
    if not cookie.enabled or network_userid is None:
        return None
    parts = [f"{cookie.name}={network_userid}", f"Max-Age={cookie.expires_days * 86_400}", f"Path={cookie.path}"]
    domain = _cookie_domain(request.header("origin"), cookie)
    if domain is not None:
        parts.append(f"Domain={domain}")
    parts.append(f"SameSite={cookie.same_site}")
    if cookie.secure:
        parts.append("Secure")
    if cookie.http_only:
        parts.append("HttpOnly")
    return "; ".join(parts)


def cors_headers(request: Request) -> list[tuple[str, str]]:
    """Echo the origin: a wildcard is refused by browsers that send the cookie along."""
    return [
        ("access-control-allow-origin", request.header("origin") or "*"),
        ("access-control-allow-credentials", "true"),
        ("vary", "origin"),
    ]


def _cookie_domain(origin: str | None, cookie: CookieSettings) -> str | None:
    host = urlsplit(origin).hostname if origin else None
    for domain in cookie.domains:
        if host is not None and (host == domain or host.endswith("." + domain)):
            return domain
    return cookie.fallback_domain


def _kept_headers(request: Request) -> list[str]:
    dropped = IDENTIFYING_HEADERS if request.is_anonymous else frozenset()
    kept = [f"{name}: {value}" for name, value in request.headers if name not in dropped and name != OVERSIZE_HEADER]
    if request.body_bytes > len(request.body or b""):
        kept.append(f"{OVERSIZE_HEADER}: {request.body_bytes}")
    return kept


def _client_ip(request: Request) -> str:
    forwarded = (request.header("x-forwarded-for") or "").split(",")[0].strip()
    return forwarded if _is_ip(forwarded) else request.client


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def _hostname(host: str | None) -> str | None:
    return urlsplit("//" + host).hostname if host else None


def _read_cookie(header: str, name: str) -> str | None:
    # Parted by hand: http.cookies drops every cookie after the first that breaks the RFC.
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value.strip('"')
    return None
