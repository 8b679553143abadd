"""Snowplow's trackers, and every webhook that can be told a path: `/{vendor}/{version}`, `/i` and `/ice.png`."""

import base64
import re

from catchment.collect.intake import Intake
from catchment.collect.request import Request
from catchment.collect.route import TEXT_HEADERS, Answer, Headers, Route
from catchment.collect.visitor import Visitors

PIXEL = base64.b64decode("R0lGODlhAQABAPAAAP///wAAACH5BAEAAAAALAAAAAABAAEAAAICRAEAOw==")
NEVER_CACHED = ("cache-control", "no-cache, no-store, must-revalidate")
PIXEL_HEADERS: Headers = [("content-type", "image/gif"), NEVER_CACHED]
PIXEL_PATHS = ("/i", "/ice.png")
VENDOR_PATH = "/{vendor}/{version}"
TP2_PATH = "/com.snowplowanalytics.snowplow/tp2"
"""A vendor's path as any; named because nearly every request comes here, and an exact path is found faster."""


def tracker_routes(intake: Intake) -> list[Route]:
    """Give the routes that take events: by GET as a pixel, by POST as a batch."""
    tracker = Tracker(intake)
    return [
        *(Route("GET", path, tracker.answer_pixel) for path in (*PIXEL_PATHS, VENDOR_PATH)),
        *(Route("POST", path, tracker.answer_batch) for path in (PIXEL_PATHS[0], TP2_PATH, VENDOR_PATH)),
    ]


class Tracker:
    """Keeps what trackers send, and tells visitors apart by their cookie."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._visitors = Visitors(intake.settings.cookie)
        self._refusal = intake.settings.do_not_track
        self._refusing_value = re.compile(self._refusal.value) if self._refusal is not None else None

    async def answer_batch(self, request: Request) -> Answer:
        """Keep a batch."""
        return Answer(200, [*TEXT_HEADERS, *await self.keep(request, self.choose_visitor(request))], b"ok")

    async def answer_pixel(self, request: Request) -> Answer:
        """Keep the event of a query string."""
        if self._visitors.bounces(request) and not self.is_refused(request):
            return self._bounce(request)
        return Answer(200, [*PIXEL_HEADERS, *await self.keep(request, self.choose_visitor(request))], PIXEL)

    async def keep(self, request: Request, network_userid: str | None) -> Headers:
        """Keep a request, unless its sender refuses to be tracked, and give the headers of the answer."""
        headers = self._intake.shared_headers(request)
        if self._refusal is not None and self.is_refused(request):
            return headers
        await self._intake.keep(request, network_userid)
        return headers + self._visitors.set_cookies(request, network_userid)

    def choose_visitor(self, request: Request) -> str | None:
        """Choose who this is: their cookie, else somebody new; None where they asked not to be known."""
        return self._visitors.choose(request)

    def is_refused(self, request: Request) -> bool:
        """Say whether the sender carries the cookie by which a visitor refuses."""
        if self._refusal is None or self._refusing_value is None:
            return False
        value = request.cookie(self._refusal.name)
        return value is not None and self._refusing_value.fullmatch(value) is not None

    def _bounce(self, request: Request) -> Answer:
        headers = self._intake.shared_headers(request)
        cookies = self._visitors.set_cookies(request, self._visitors.choose(request))
        location = ("location", self._visitors.bounced_url(request))
        return Answer(302, [location, NEVER_CACHED, *headers, *cookies])
