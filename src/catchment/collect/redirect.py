"""Clicks on links to elsewhere: kept, then sent on, and only to hosts that the settings list."""

import re
from urllib.parse import parse_qsl, quote, urlsplit

from catchment.collect import REDIRECT_PATH
from catchment.collect.intake import Intake
from catchment.collect.log import LogUnavailable
from catchment.collect.request import Request
from catchment.collect.route import ANY, TEXT_HEADERS, Answer, Route
from catchment.collect.tracker import NEVER_CACHED, Tracker
from catchment.observe import log as facts

_HOST = re.compile(r"[a-z0-9.-]+")
# Browsers read a backslash as a slash, and drop tabs and line breaks: what is checked must be what they go to.
_MISREAD = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT = "/?#[]@!$&'()*+,;=:%-._~"


class TargetRefused(Exception):
    """The request may not be sent where it asks to go."""


def redirect_routes(intake: Intake) -> list[Route]:
    """Give the routes of redirects; a path of one's own that stands for them works even where they are off."""
    redirect = _Redirect(intake)
    mapped = [path for path, target in intake.settings.paths.items() if target == REDIRECT_PATH]
    answer = redirect.answer if intake.settings.redirect.enabled else _answer_off
    return [*(Route("GET", path, redirect.answer) for path in mapped), Route("GET", "/r/*", answer),
            Route(ANY, "/r/*", _answer_off)]  # fmt: skip


async def _answer_off(_: Request) -> Answer:
    return Answer(404, TEXT_HEADERS, b"redirects are off")


class _Redirect:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._tracker = Tracker(intake)
        self._hosts = frozenset(host.lower() for host in intake.settings.redirect.hosts)
        self._macro = intake.settings.redirect.macro

    async def answer(self, request: Request) -> Answer:
        """Keep the click and send it on; of one that may not go where it asks to, nothing is kept."""
        visitor = self._tracker.choose_visitor(request)
        try:
            target = self._target(request, visitor or "")
        except TargetRefused as error:
            return Answer(400, TEXT_HEADERS, str(error).encode())
        request.path = REDIRECT_PATH
        try:
            headers = await self._tracker.keep(request, visitor)
        except LogUnavailable as error:
            # Nobody sends a click again: an error page would lose the visitor and save nothing.
            facts.error("collect lost a redirect: %s", error)
            headers = self._intake.shared_headers(request)
        return Answer(302, [("location", target), NEVER_CACHED, *headers])

    def _target(self, request: Request, visitor: str) -> str:
        targets = [value for name, value in parse_qsl(request.querystring) if name == "u"]
        if len(targets) != 1:
            raise TargetRefused("a redirect needs one parameter u, the address to go to")
        [target] = targets
        if self._macro and self._macro in target:
            target = target.replace(self._macro, visitor)
        host = _host(target)
        if host is None or not self._is_listed(host):
            raise TargetRefused("the address to go to is not one of those that collect.redirect.hosts lists")
        return quote(target, safe=_KEPT)

    def _is_listed(self, host: str) -> bool:
        parents = host.split(".")[1:]
        above = ("*." + ".".join(parents[start:]) for start in range(len(parents)))
        return host in self._hosts or any(form in self._hosts for form in above)


def _host(target: str) -> str | None:
    """Give the host of an http or https address; None of anything else, or that browsers may read otherwise."""
    if _MISREAD.search(target):
        return None
    try:
        parts = urlsplit(target)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or host is None or not _HOST.fullmatch(host):
        return None
    return host if "@" not in parts.netloc else None
