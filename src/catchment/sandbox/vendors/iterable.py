"""Iterable: users, lists and events in bulk, up to 1,000 a request and 4 MB.

From the API reference: an answer counts what failed and lists it by kind; a list that the project has not is a 400
with a code; an event whose id is known replaces that event; whom Iterable was told to forget it never takes again.
"""

import re
import secrets
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

KEY = "sandbox-iterable-key"
LISTS = {711: "Catchment sandbox list"}
ROWS_PER_REQUEST, BYTES_PER_REQUEST = 1_000, 4_000_000
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
ROWS = {
    "users/bulkUpdate": "users",
    "lists/subscribe": "subscribers",
    "lists/unsubscribe": "subscribers",
    "events/trackBulk": "events",
}


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Iterable does."""
    if status == 429:
        return Failure({"Retry-After": str(retry_after_s)}, _told("RateLimitExceeded", "Rate limit exceeded"))
    if status == 401:
        return Failure({}, _told("BadApiKey", "Invalid API key"))
    return Failure({}, _told("BadParams" if status == 400 else "GenericError", f"refused with {status}"))


def routes(store: Store) -> APIRouter:
    """Give Iterable's endpoints over the store."""
    router = APIRouter()

    @router.get("/api/lists")
    async def lists(request: Request) -> Response:
        if request.headers.get("api-key") != KEY:
            return answer(401, fail(401, 0).body)
        return answer(200, {"lists": [{"id": key, "name": name} for key, name in LISTS.items()]})

    @router.post("/api/{path:path}")
    async def post(path: str, request: Request) -> Response:
        if request.headers.get("api-key") != KEY:
            return answer(401, fail(401, 0).body)
        status, body = _serve(store, path, await request.body())
        return answer(status, body)

    return router


def _serve(store: Store, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    if len(body) > BYTES_PER_REQUEST:
        return 413, _told("RequestTooLarge", "A request holds at most 4 MB")
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, _told("BadJsonBody", "The body is not JSON")
    if path == "users/forget":
        who = str(content.get("email") or content.get("userId"))
        store.remove("iterable", "users", [who])
        for list_id in LISTS:
            store.remove("iterable", f"list_{list_id}", [who])
        store.put("iterable", "forgotten", {who: {}})
        return 200, _told("Success", "")
    if path not in ROWS:
        return 404, _told("NotFound", f"There is no {path}")
    rows = content.get(ROWS[path])
    if not isinstance(rows, list) or not rows or len(rows) > ROWS_PER_REQUEST:
        return 400, _told("BadParams", f"{ROWS[path]} must hold 1 to {ROWS_PER_REQUEST:,} objects")
    if path.startswith("lists/") and content.get("listId") not in LISTS:
        return 400, _told("UnknownListError", f"There is no list {content.get('listId')}")
    return _take(store, path, content, rows)


def _take(store: Store, path: str, content: dict[str, Any], rows: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    failed: dict[str, list[str]] = {}
    is_bound = path == "lists/unsubscribe" or bool(content.get("updateExistingUsersOnly"))
    for row in rows:
        if not row.get("email") and not row.get("userId"):
            return 400, _told("BadParams", "email or userId is required")
        if not isinstance(row.get("createdAt", 0), int):
            return 400, _told("BadParams", "createdAt is a Unix time in seconds")
    for row in rows:
        kind, who = _fault(store, row, is_bound=is_bound)
        if kind is None:
            _do(store, path, content, row, who)
        else:
            failed.setdefault(kind, []).append(who)
    count = sum(map(len, failed.values()))
    told = {"successCount": len(rows) - count, "failCount": count, "failedUpdates": failed}
    invalid = {kind: failed.get(kind, []) for kind in ("invalidEmails", "invalidUserIds")}
    return 200, {**told, **invalid, "createdFields": [], "filteredOutFields": []}


def _fault(store: Store, row: dict[str, Any], *, is_bound: bool) -> tuple[str | None, str]:
    """Give the kind of failure, or none, and the name by which the user is known."""
    name = "UserIds" if row.get("userId") else "Emails"
    who = str(row.get("userId") or row["email"])
    for email in (row.get("email"), (row.get("dataFields") or {}).get("email")):
        if email is not None and not EMAIL.fullmatch(str(email)):
            return (f"invalidData{name}", who) if name == "UserIds" else ("invalidEmails", who)
    if store.get("iterable", "forgotten", who) is not None:
        return f"forgotten{name}", who
    if is_bound and store.get("iterable", "users", who) is None:
        return f"notFound{name}", who
    return None, who


def _do(store: Store, path: str, content: dict[str, Any], row: dict[str, Any], who: str) -> None:
    if path == "events/trackBulk":
        store.put("iterable", "events", {str(row.get("id") or secrets.token_hex(16)): {**row, "who": who}})
        return
    if path == "lists/unsubscribe":
        store.remove("iterable", f"list_{content['listId']}", [who])
        return
    _put(store, who, row)
    if path == "lists/subscribe":
        store.put("iterable", f"list_{content['listId']}", {who: {}})


def _put(store: Store, who: str, row: dict[str, Any]) -> None:
    held = store.get("iterable", "users", who) or {}
    named = {name: row[name] for name in ("email", "userId") if row.get(name)}
    told = {**held, **named, **(row.get("dataFields") or {})}
    store.put("iterable", "users", {who: {name: value for name, value in told.items() if value is not None}})


def _told(code: str, message: str) -> dict[str, Any]:
    return {"msg": message, "code": code, "params": None}
