"""What every route works with: the settings, the log, and the one way into it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from catchment import __version__
from catchment.collect import CollectSettings
from catchment.collect.envelope import to_payload
from catchment.collect.log import Log
from catchment.collect.request import Request
from catchment.collect.route import Headers


class Intake:
    """The way from a request to the log, the same for every protocol."""

    def __init__(
        self, settings: CollectSettings, log: Log, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.settings = settings
        self.log = log
        self.is_closing = False
        self._clock = clock
        self._collector = f"catchment-{__version__}-{settings.log['type']}"
        self._trust_forwarded = settings.trust_forwarded
        p3p = [] if settings.p3p is None else [("p3p", settings.p3p)]
        self._shared = [("access-control-allow-credentials", "true"), ("vary", "origin"), *p3p]

    def keep(self, request: Request, network_userid: str | None) -> Awaitable[None]:
        """Put the request in the log: await it. Raises LogUnavailable, in bounded time, where it is not durable.

        The server answers LogUnavailable with 503: no route needs to.
        """
        payload = to_payload(
            request,
            network_userid,
            now=self._clock(),
            collector=self._collector,
            trust_forwarded=self._trust_forwarded,
        )
        return self.log.append(payload)

    def shared_headers(self, request: Request) -> Headers:
        """Give the headers that every answer to a page's script carries.

        The origin is echoed: browsers that send a cookie along refuse a wildcard.
        """
        return [("access-control-allow-origin", request.named.get("origin", "*")), *self._shared]
