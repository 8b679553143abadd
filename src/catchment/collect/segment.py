"""The way in for the SDKs of Segment: their HTTP API, and the settings that analytics.js asks for when it starts.

Source of paths, answers and limits: Segment's pages on its HTTP tracking API and its pixel API.
"""

import base64
import binascii
import re
from urllib.parse import parse_qs, urlencode

import orjson

from catchment.collect.intake import Intake
from catchment.collect.request import Request
from catchment.collect.route import Answer, Headers, Route
from catchment.collect.service import preflight
from catchment.collect.tracker import PIXEL, PIXEL_HEADERS, Tracker
from catchment.collect.visitor import Visitors

CALLS = ("track", "identify", "page", "screen", "group", "alias")
POSTS = (
    *(f"/v1/{call}" for call in (*CALLS, "batch", "import")),
    *(f"/v1/{call[0]}" for call in (*CALLS, "batch")),  # analytics.js shortens them
    "/beacon/v1/batch",
)
JSON_HEADERS: Headers = [("content-type", "application/json")]
HEADERS = "Authorization, Content-Type, AnonymousId"

_HEADER_NAMES = re.compile(r"[A-Za-z0-9-]+(, ?[A-Za-z0-9-]+){0,19}")
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def segment_routes(intake: Intake) -> list[Route]:
    """Give the routes of Segment's calls, one by one or in a batch."""
    segment = _Segment(intake)
    return [
        *(Route("POST", path, segment.answer_calls) for path in POSTS),
        *(Route("GET", f"/v1/pixel/{call}", segment.answer_pixel) for call in CALLS),
        *(Route("OPTIONS", path, segment.answer_preflight) for path in ("/v1/*", "/beacon/*")),
        Route("GET", "/v1/projects/{write_key}/settings", segment.answer_settings),
    ]


class WriteKeys:
    """Which write keys are taken, and the name of the source that each stands for."""

    def __init__(self, intake: Intake) -> None:
        keys = intake.settings.write_keys
        self._sources = {key.get_secret_value(): name for name, key in keys.items()}

    def accept(self, key: str | None) -> bool:
        """Say whether a request with this key is taken: any is, where none are set."""
        return not self._sources or key in self._sources

    def source(self, key: str | None) -> str:
        """Give the name of the source, empty where the key stands for none."""
        return self._sources.get(key or "", "")


def sent_key(request: Request) -> str | None:
    """Give the write key of the Authorization header, else of the query string."""
    scheme, _, coded = (request.header("authorization") or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(coded, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return parse_qs(request.querystring).get("writeKey", [None])[0]


def own_address(intake: Intake, request: Request) -> tuple[str, str] | None:
    """Give the scheme and host by which the sender reached us, None where it names none that could be one."""
    host = request.header("host") or ""
    forwarded = request.header("x-forwarded-proto") if intake.settings.trust_forwarded else None
    return ("https" if forwarded == "https" else "http", host) if _HOST.fullmatch(host) else None


def answer_json(intake: Intake, request: Request, status: int, content: object) -> Answer:
    """Answer a script of any site with JSON."""
    return Answer(status, [*JSON_HEADERS, *intake.shared_headers(request)], orjson.dumps(content))


class _Segment:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._tracker = Tracker(intake)
        self._visitors = Visitors(intake.settings.cookie)
        self._keys = WriteKeys(intake)

    async def answer_calls(self, request: Request) -> Answer:
        """Keep one call or a batch of them.

        What cannot be read is kept too, for it becomes a failed event, and is answered with 400, as Segment documents
        it: an SDK sends that never again.
        """
        content = _read(request)
        key = sent_key(request) or _body_key(content)
        if not self._keys.accept(key):
            return self._refuse(request, 401, "the write key is not one of those that are taken here")
        request.querystring = ""  # A write key may stand there, and nothing else that counts.
        await self._keep(request, key)
        if not isinstance(content, dict):
            return self._refuse(request, 400, "the body is no JSON object, or too large")
        return answer_json(self._intake, request, 200, {"success": True})

    async def answer_pixel(self, request: Request) -> Answer:
        """Keep one call that a picture carries in the address that it is loaded from."""
        data = parse_qs(request.querystring).get("data", [""])[0]
        key = sent_key(request) or _body_key(_decode(data))
        if not self._keys.accept(key):
            return self._refuse(request, 401, "the write key is not one of those that are taken here")
        request.querystring = urlencode({"data": data})
        await self._keep(request, key)
        return Answer(200, [*PIXEL_HEADERS, *self._intake.shared_headers(request)], PIXEL)

    async def answer_preflight(self, request: Request) -> Answer:
        """Let a script send what its SDK sends; which headers those are differs between versions."""
        asked = request.header("access-control-request-headers") or ""
        return preflight(self._intake, request, [asked if _HEADER_NAMES.fullmatch(asked) else HEADERS])

    async def answer_settings(self, request: Request) -> Answer:
        """Tell analytics.js that it has no destination but us, under the host by which it found us."""
        key = request.path.split("/")[3]
        address = own_address(self._intake, request)
        if address is None or not self._keys.accept(key):
            return self._refuse(request, 404, "there is no source with this write key")
        scheme, host = address
        allowed = {"__default": {"enabled": True, "integrations": {}}}
        settings = {
            "integrations": {
                "Segment.io": {
                    "apiKey": key,
                    "apiHost": f"{host}/v1",
                    "protocol": scheme,
                    "unbundledIntegrations": [],
                    "addBundledMetadata": False,
                    "retryQueue": True,
                    "type": "browser",
                    "versionSettings": {"componentTypes": ["browser"]},
                }
            },
            "plan": {"track": allowed, "identify": allowed, "group": allowed},
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "remotePlugins": [],
            "metrics": {"sampleRate": 0},
            "legacyVideoPluginsEnabled": False,
            "analyticsNextEnabled": True,
        }
        return answer_json(self._intake, request, 200, settings)

    async def _keep(self, request: Request, key: str | None) -> None:
        if self._tracker.is_refused(request):
            return
        request.source = self._keys.source(key)
        known = None if request.is_anonymous else self._visitors.known(request)
        await self._intake.keep(request, known)

    def _refuse(self, request: Request, status: int, why: str) -> Answer:
        return answer_json(self._intake, request, status, {"success": False, "message": why})


def _read(request: Request) -> object:
    body = request.body
    if body.cut_from or body.still_packed:
        return None
    try:
        return orjson.loads(body.content)
    except orjson.JSONDecodeError:
        return None


def _decode(data: str) -> object:
    try:
        return orjson.loads(base64.b64decode(data.replace(" ", "+"), validate=True))
    except (binascii.Error, ValueError):
        return None


def _body_key(content: object) -> str | None:
    key = content.get("writeKey") if isinstance(content, dict) else None
    return key if isinstance(key, str) else None
