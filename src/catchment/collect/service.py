"""What is no event: health, the preflight of browsers, and files that crawlers and Flash ask for."""

from xml.sax.saxutils import quoteattr

from catchment.collect.intake import Intake
from catchment.collect.log import LogUnavailable
from catchment.collect.request import Request
from catchment.collect.route import ANY, TEXT_HEADERS, Answer, Headers, Route

RETRY_HEADERS: Headers = [*TEXT_HEADERS, ("retry-after", "5")]


def service_routes(intake: Intake) -> list[Route]:
    """Give the routes that take no events."""
    service = _Service(intake)
    routes = [
        Route(ANY, "/health", service.answer_health),
        Route(ANY, "/sink-health", service.answer_health),
        Route("GET", "/robots.txt", service.answer_robots),
        Route("OPTIONS", "/*", service.answer_preflight),
    ]
    if intake.settings.cross_domain.enabled:
        routes.append(Route("GET", "/crossdomain.xml", service.answer_cross_domain))
    if intake.settings.root is not None:
        routes.append(Route("GET", "/", service.answer_root))
    return routes


def preflight(intake: Intake, request: Request, headers: list[str]) -> Answer:
    """Tell a browser that scripts of any site may post here, with cookies and these headers."""
    return Answer(
        200,
        [
            *intake.shared_headers(request),
            ("access-control-allow-methods", "GET, POST, OPTIONS"),
            ("access-control-allow-headers", ", ".join(headers)),
            ("access-control-max-age", str(intake.settings.preflight_max_age_s)),
        ],
    )


class _Service:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def answer_health(self, _: Request) -> Answer:
        """Say whether payloads can be kept, proved by keeping something."""
        if self._intake.is_closing:
            return Answer(503, RETRY_HEADERS, b"the collector is stopping")
        try:
            await self._intake.log.probe()
        except LogUnavailable as error:
            return Answer(503, RETRY_HEADERS, f"{error} {error.hint}".encode())
        return Answer(200, TEXT_HEADERS, b"ok")

    async def answer_preflight(self, request: Request) -> Answer:
        return preflight(self._intake, request, self._intake.settings.preflight_headers)

    async def answer_robots(self, _: Request) -> Answer:
        return Answer(200, TEXT_HEADERS, b"User-agent: *\nDisallow: /\n")

    async def answer_cross_domain(self, _: Request) -> Answer:
        policy = self._intake.settings.cross_domain
        secure = "true" if policy.secure else "false"
        lines = [f'  <allow-access-from domain={quoteattr(domain)} secure="{secure}" />\n' for domain in policy.domains]
        text = f'<?xml version="1.0"?>\n<cross-domain-policy>\n{"".join(lines)}</cross-domain-policy>\n'
        return Answer(200, [("content-type", "text/xml")], text.encode())

    async def answer_root(self, _: Request) -> Answer:
        root = self._intake.settings.root
        if root is None:
            return Answer(404, TEXT_HEADERS)
        return Answer(root.status, list(root.headers.items()), root.body.encode())
