"""Braze: `POST /users/track` with attributes or events, up to 75 a request, and `POST /users/delete` of up to 50.

From Braze's REST reference: keys as bearer tokens, per-object errors by index in a 201, `null` removes an attribute,
`{"add": [...]}` and `{"remove": [...]}` change an array, 3,000 requests in 3 seconds.
"""

import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

KEY = "sandbox-braze-key"
OBJECTS_PER_REQUEST = 75
DELETED_AT_ONCE = 50
BYTES_PER_REQUEST = 4_000_000
BYTES_PER_OBJECT = 100_000
REQUESTS, WINDOW_S = 3_000, 3
ARRAYS = ("attributes", "events", "purchases")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Braze does."""
    if status != 429:
        return Failure({}, {"message": "Internal server error" if status >= 500 else "Request refused"})
    headers = {
        "X-RateLimit-Limit": str(REQUESTS),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time()) + retry_after_s),
        "X-Ratelimit-Retry-After": str(retry_after_s),
        "Retry-After": str(retry_after_s),
    }
    return Failure(headers, {"message": "You have exceeded the rate limit for this endpoint."})


def routes(store: Store, clock: Callable[[], float] = time.monotonic) -> APIRouter:
    """Give Braze's endpoints over the store."""
    router = APIRouter()
    recent: deque[float] = deque()

    @router.post("/users/delete")
    async def delete(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return answer(401, {"message": "Invalid API Key"})
        return answer(*_delete(store, await request.body()))

    @router.post("/users/track")
    async def track(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return answer(401, {"message": "Invalid API Key"})
        if not _has_room(recent, clock()):
            failure = fail(429, WINDOW_S)
            return answer(429, failure.body, failure.headers)
        headers = {"X-RateLimit-Limit": str(REQUESTS), "X-RateLimit-Remaining": str(REQUESTS - len(recent))}
        status, body = _track(store, await request.body())
        return answer(status, body, headers)

    return router


def _has_room(recent: deque[float], now: float) -> bool:
    while recent and recent[0] <= now - WINDOW_S:
        recent.popleft()
    if len(recent) >= REQUESTS:
        return False
    recent.append(now)
    return True


def _track(store: Store, body: bytes) -> tuple[int, dict[str, Any]]:
    if len(body) > BYTES_PER_REQUEST:
        return 413, {"message": "The request is larger than 4 MB."}
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, {"message": "The body is not JSON."}
    given = [name for name in ARRAYS if isinstance(content, dict) and content.get(name)]
    if not given:
        return 400, {"message": "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."}
    for name in given:
        if not isinstance(content[name], list) or len(content[name]) > OBJECTS_PER_REQUEST:
            return 400, {"message": f"'{name}' must be an array of at most {OBJECTS_PER_REQUEST} objects."}
    if given not in (["attributes"], ["events"]):
        return 400, {"message": "The sandbox takes attributes or events."}
    return 201, _update(store, content["attributes"]) if given == ["attributes"] else _note(store, content["events"])


def _note(store: Store, events: list[Any]) -> dict[str, Any]:
    """Take events in, each as often as it comes: Braze knows no ids of events."""
    errors: list[dict[str, Any]] = []
    for index, event in enumerate(events):
        fault = _fault(event) or next(
            (f"'{name}' is required" for name in ("name", "time") if not event.get(name)), None
        )
        if fault is not None:
            errors.append({"type": fault, "input_array": "events", "index": index})
            continue
        store.put("braze", "events", {secrets.token_hex(8): event})
    body: dict[str, Any] = {"message": "success", "events_processed": len(events) - len(errors)}
    return {**body, "errors": errors} if errors else body


def _delete(store: Store, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, {"message": "The body is not JSON."}
    kinds = [name for name in ("external_ids", "email_addresses") if content.get(name)]
    if len(kinds) != 1 or len(content[kinds[0]]) > DELETED_AT_ONCE:
        return 400, {"message": f"Exactly one kind of identifier, at most {DELETED_AT_ONCE}, is required."}
    named = [one if isinstance(one, str) else one["email"] for one in content[kinds[0]]]
    store.remove("braze", "users", named)
    return 201, {"deleted": len(named), "message": "success"}


def _update(store: Store, objects: list[Any]) -> dict[str, Any]:
    errors: list[dict[str, Any]] = []
    changed: dict[str, dict[str, Any]] = {}
    for index, wanted in enumerate(objects):
        fault = _fault(wanted)
        if fault is not None:
            errors.append({"type": fault, "input_array": "attributes", "index": index})
            continue
        key = wanted.get("external_id") or wanted["email"]
        held = changed.get(key) or store.get("braze", "users", key) or {}
        changed[key] = _merge(held, wanted)
    store.put("braze", "users", changed)
    body: dict[str, Any] = {"message": "success", "attributes_processed": len(objects) - len(errors)}
    return {**body, "errors": errors} if errors else body


def _fault(wanted: Any) -> str | None:
    if not isinstance(wanted, dict):
        return "Each object must be a JSON object"
    identifier = wanted.get("external_id") or wanted.get("email")
    if not isinstance(identifier, str):
        return "'external_id', 'braze_id', 'user_alias', 'email' or 'phone' is required"
    if len(orjson.dumps(wanted)) > BYTES_PER_OBJECT:
        return "The object is larger than 100 KB"
    email = wanted.get("email")
    if email is not None and not (isinstance(email, str) and EMAIL.fullmatch(email)):
        return "'email' is not a valid email address"
    if any(not name or name.startswith("$") or len(name) > 255 for name in wanted):
        return "An attribute has an invalid name"
    return None


def _merge(held: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    merged = dict(held)
    for name, value in wanted.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and value.keys() <= {"add", "remove"}:
            kept = [item for item in merged.get(name, []) if item not in value.get("remove", [])]
            merged[name] = kept + [item for item in value.get("add", []) if item not in kept]
        else:
            merged[name] = value
    return merged
