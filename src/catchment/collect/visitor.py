"""Who a browser is: the visitor cookie, and what comes before it."""

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlsplit

from catchment.collect import CookieSettings
from catchment.collect.envelope import new_id
from catchment.collect.request import Request
from catchment.collect.route import Headers

LONGEST_ORIGIN = 300

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Visitors:
    """Reads and writes the visitor cookie."""

    def __init__(self, cookie: CookieSettings, new_id: Callable[[], str] = new_id) -> None:
        self._cookie = cookie
        self._new_id = new_id
        # A page has few origins, and each asks with every event.
        self._ending = lru_cache(maxsize=1024)(self._write_ending)

    def choose(self, request: Request) -> str | None:
        """Choose who this is: the `nuid` parameter, else the cookie, else somebody new; None when anonymous.

        What is no UUID is not ours, and would fail its events downstream: it is passed over.
        """
        if request.is_anonymous:
            return None
        known = self.known(request)
        if known is not None:
            return known
        bounce = self._cookie.bounce
        if bounce.enabled and self._has_bounced(request):
            return bounce.fallback_network_userid
        return self._new_id()

    def set_cookies(self, request: Request, network_userid: str | None) -> Headers:
        """Give the Set-Cookie headers, none where no cookie may be set."""
        if not self._cookie.enabled or network_userid is None:
            return []
        origin = request.header("origin") or ""
        ending = self._ending(origin) if len(origin) <= LONGEST_ORIGIN else self._write_ending("")
        cookie = f"{self._cookie.name}={network_userid}{ending}"
        if self._cookie.client_name is None:
            return [("set-cookie", cookie + "; HttpOnly" * self._cookie.http_only)]
        readable = f"{self._cookie.client_name}={network_userid}{ending}"
        return [("set-cookie", cookie + "; HttpOnly" * self._cookie.http_only), ("set-cookie", readable)]

    def bounces(self, request: Request) -> bool:
        """Say whether to find out first if this browser keeps cookies."""
        cookie = self._cookie
        if not (cookie.bounce.enabled and cookie.enabled) or request.is_anonymous:
            return False
        return self.known(request) is None and not self._has_bounced(request)

    def bounced_url(self, request: Request) -> str:
        """Give the address of the same request, marked; without a host, so that no proxy can lead it astray."""
        marked = [request.querystring, f"{self._cookie.bounce.marker}=true"]
        return quote(request.path) + "?" + "&".join(part for part in marked if part)

    def known(self, request: Request) -> str | None:
        """Give who this says it is, None where it says nothing."""
        if "nuid=" in request.querystring:
            for name, value in parse_qsl(request.querystring):
                if name == "nuid" and _UUID.fullmatch(value):
                    return value
        held = request.cookie(self._cookie.name)
        return held if held is not None and _UUID.fullmatch(held) else None

    def _has_bounced(self, request: Request) -> bool:
        marker = self._cookie.bounce.marker
        return marker in request.querystring and marker in dict(parse_qsl(request.querystring, keep_blank_values=True))

    def _write_ending(self, origin: str) -> str:
        cookie = self._cookie
        parts = [f"Max-Age={cookie.expires_days * 86_400}", f"Path={cookie.path}"]
        domain = self._domain(origin)
        if domain is not None:
            parts.append(f"Domain={domain}")
        parts.append(f"SameSite={cookie.same_site}")
        if cookie.secure:
            parts.append("Secure")
        return "".join(f"; {part}" for part in parts)

    def _domain(self, origin: str) -> str | None:
        host = _host(origin)
        for domain in self._cookie.domains:
            if host is not None and (host == domain or host.endswith("." + domain)):
                return domain
        return self._cookie.fallback_domain


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).hostname
    except ValueError:
        return None
