"""Meta: events of the Conversions API, up to 1,000 a request, each event id and name once.

From the Conversions API reference: one event that is not valid, or more than seven days old, fails the whole request
with code 100; an event with an id and a name that were seen within 48 hours is received and not counted again.
"""

import re
import time
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

TOKEN, PIXEL_ID = "sandbox-conversions-token", "130210000000000001"
EVENTS_PER_REQUEST, OLDEST_S = 1_000, 7 * 86_400
HASHED = {"em", "ph", "fn", "ln", "ge", "db", "ct", "st", "zp", "country"}
SHA256 = re.compile(r"[0-9a-f]{64}")


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as the Graph API does."""
    if status == 429:
        return Failure({"Retry-After": str(retry_after_s)}, _error(4, "Application request limit reached"))
    if status == 401:
        return Failure({}, _error(190, "Invalid OAuth access token - Cannot parse access token"))
    return Failure({}, _error(2 if status >= 500 else 100, f"status {status}, as ordered"))


def routes(store: Store) -> APIRouter:
    """Give the endpoints over the store."""
    router = APIRouter()

    @router.get("/{version}/me")
    async def me(version: str, request: Request) -> Response:
        return answer(200, {"id": "1"}) if _is_known(request) else answer(401, fail(401, 0).body)

    @router.post("/{version}/{pixel_id}/events")
    async def events(version: str, pixel_id: str, request: Request) -> Response:
        if not _is_known(request):
            return answer(401, fail(401, 0).body)
        if pixel_id != PIXEL_ID:
            message = f"Unsupported post request. Object with ID '{pixel_id}' does not exist"
            return answer(400, _error(100, message, subcode=33))
        try:
            told = orjson.loads(await request.body())["data"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return answer(400, _error(100, "(#100) param data must be non-empty."))
        if not 0 < len(told) <= EVENTS_PER_REQUEST:
            return answer(400, _error(100, f"(#100) data takes 1 to {EVENTS_PER_REQUEST} events"))
        for number, event in enumerate(told):
            fault = _fault(event)
            if fault is not None:
                return answer(400, _error(100, "Invalid parameter", said=f"data[{number}]: {fault}"))
        store.put("meta_conversions", "events", {f"{event['event_id']}/{event['event_name']}": event for event in told})
        return answer(200, {"events_received": len(told), "messages": [], "fbtrace_id": "A1"})

    return router


def _is_known(request: Request) -> bool:
    return request.headers.get("authorization", "") == f"Bearer {TOKEN}"


def _fault(event: dict[str, Any]) -> str | None:
    for name in ("event_name", "event_time", "event_id", "action_source"):
        if not event.get(name):
            return f"{name} is required"
    if (
        not isinstance(event["event_time"], int)
        or not time.time() - OLDEST_S <= event["event_time"] <= time.time() + 60
    ):
        return "event_time is too far in the past or in the future"
    who = event.get("user_data") or {}
    if not who:
        return "user_data lacks customer information"
    if event["action_source"] == "website" and not (who.get("client_user_agent") or set(who) & HASHED):
        return "client_user_agent is required of website events"
    for name in HASHED & set(who):
        if not all(SHA256.fullmatch(str(value)) for value in who[name]):
            return f"user_data.{name} is not hashed"
    return None


def _error(code: int, message: str, *, subcode: int | None = None, said: str | None = None) -> dict[str, Any]:
    more = {name: value for name, value in (("error_subcode", subcode), ("error_user_msg", said)) if value is not None}
    return {"error": {"message": message, "type": "OAuthException", "code": code, **more, "fbtrace_id": "A1"}}
