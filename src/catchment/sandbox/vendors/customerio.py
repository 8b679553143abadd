"""Customer.io: the batch of the Track API v2: people are identified, told of by events, and deleted.

From the Track API reference: basic authentication by site id and key; up to 500 KB a request and 32 KB an item; bad
items come back in a 207 by their index; an empty value takes an attribute away; a ULID that is known is dropped.
"""

import base64
import re
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

SITE_ID, KEY = "sandbox-customerio-site", "sandbox-customerio-key"
BYTES_PER_REQUEST, BYTES_PER_ITEM = 500_000, 32_000
IDENTIFIERS = ("id", "email", "cio_id")
ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
Fault = tuple[str, str, str]


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Customer.io does."""
    if status == 429:
        return Failure({"Retry-After": str(retry_after_s)}, {"meta": {"error": "too many requests"}})
    if status == 401:
        return Failure({}, {"meta": {"error": "unauthorized"}})
    return Failure({}, {"errors": [{"reason": "invalid", "field": "", "message": f"refused with {status}"}]})


def routes(store: Store) -> APIRouter:
    """Give the endpoints of the Track API over the store."""
    router = APIRouter()

    @router.get("/api/v1/accounts/region")
    async def region(request: Request) -> Response:
        if not _is_known(request):
            return answer(401, fail(401, 0).body)
        return answer(200, {"url": str(request.base_url), "data_center": "eu", "environment_id": 1})

    @router.post("/api/v2/batch")
    async def batch(request: Request) -> Response:
        if not _is_known(request):
            return answer(401, fail(401, 0).body)
        status, body = _batch(store, await request.body())
        return answer(status, body)

    return router


def _is_known(request: Request) -> bool:
    expected = base64.b64encode(f"{SITE_ID}:{KEY}".encode()).decode()
    return request.headers.get("authorization") == f"Basic {expected}"


def _batch(store: Store, body: bytes) -> tuple[int, dict[str, Any]]:
    if len(body) > BYTES_PER_REQUEST:
        return 413, _errors(("too_large", "batch", "a batch holds at most 500 KB"))
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, _errors(("parse_error", "", "the body is not JSON"))
    items = content.get("batch") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        return 400, _errors(("required", "batch", "a list of objects is required"))
    errors = []
    for index, item in enumerate(items):
        fault = _fault(item)
        if fault is None:
            _take(store, item)
        else:
            errors.append({"batch_index": index, **_errors(fault)["errors"][0]})
    return (207, {"errors": errors}) if errors else (200, {})


def _fault(item: dict[str, Any]) -> Fault | None:
    identifiers = item.get("identifiers")
    if item.get("type") != "person" or item.get("action") not in ("identify", "event", "delete"):
        return "invalid", "action", "the sandbox knows people: identify, event and delete"
    if not isinstance(identifiers, dict) or len(identifiers) != 1 or next(iter(identifiers)) not in IDENTIFIERS:
        return "required", "identifiers", "exactly one of id, email and cio_id is required"
    if len(orjson.dumps(item)) > BYTES_PER_ITEM:
        return "too_large", "", "an item holds at most 32 KB"
    email = identifiers.get("email") or (item.get("attributes") or {}).get("email")
    if item["action"] == "identify" and email and not EMAIL.fullmatch(str(email)):
        return "invalid", "attributes.email", f"{email} is no email address"
    if item["action"] == "event":
        if not item.get("name"):
            return "required", "name", "an event needs a name"
        if "id" in item and not ULID.fullmatch(str(item["id"])):
            return "invalid", "id", "not a ULID"
        if not isinstance(item.get("timestamp", 0), int):
            return "invalid", "timestamp", "not a Unix time in seconds"
    return None


def _take(store: Store, item: dict[str, Any]) -> None:
    who = str(next(iter(item["identifiers"].values())))
    if item["action"] == "delete":
        store.remove("customerio", "people", [who])
        return
    if item["action"] == "event":
        key = str(item.get("id") or store.requests("customerio"))
        store.put("customerio", "events", {key: {**item, "who": who}})
        return
    held = store.get("customerio", "people", who) or {}
    told = {**held, **item["identifiers"], **item.get("attributes", {})}
    store.put("customerio", "people", {who: {name: one for name, one in told.items() if one not in ("", None)}})


def _errors(fault: Fault) -> dict[str, Any]:
    reason, field, message = fault
    return {"errors": [{"reason": reason, "field": field, "message": message}]}
