"""Mailchimp: members of an audience by the MD5 of their address: put, patched, archived, tagged, deleted for good.

From the Marketing API reference: errors are problem documents; `status_if_new` counts only for whom it does not know;
a member that was archived stays so until a status says otherwise, and one that was deleted for good never comes back.
"""

import base64
import re
from hashlib import md5
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

KEY = "sandbox-mailchimp-key-us6"
LISTS = {"a1b2c3d4e5": "Catchment sandbox audience"}
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
MEMBER = re.compile(r"(GET|PUT|PATCH|DELETE|POST) lists/(\w+)/members/([0-9a-f]{32})(/tags|/actions/delete-permanent)?")
Answered = tuple[int, Any]


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Mailchimp does."""
    if status == 429:
        body = _problem(429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections.")
        return Failure({"Retry-After": str(retry_after_s)}, body)
    if status == 401:
        return Failure({}, _problem(401, "API Key Invalid", "Your API key may be invalid."))
    return Failure({}, _problem(status, "Invalid Resource" if status == 400 else "Internal Server Error", "refused"))


def routes(store: Store) -> APIRouter:
    """Give the endpoints of members over the store."""
    router = APIRouter()

    @router.api_route("/3.0/{path:path}", methods=["GET", "PUT", "PATCH", "POST", "DELETE"])
    async def api(path: str, request: Request) -> Response:
        _, _, given = request.headers.get("authorization", "").partition("Basic ")
        if base64.b64decode(given).decode().rpartition(":")[2] != KEY:
            return answer(401, fail(401, 0).body)
        if (request.method, path) == ("GET", "ping"):
            return answer(200, {"health_status": "Everything's Chimpy!"})
        member = MEMBER.fullmatch(f"{request.method} {path}")
        if member is None or member[2] not in LISTS:
            return answer(404, _problem(404, "Resource Not Found", "The requested resource could not be found."))
        status, body = _serve(store, member, orjson.loads(await request.body() or b"{}"))
        return Response(status_code=204) if status == 204 else answer(status, body)

    return router


def _serve(store: Store, member: re.Match[str], told: dict[str, Any]) -> Answered:
    method, _, key, action = member.groups()
    held = store.get("mailchimp", "members", key)
    if held is None and method != "PUT":
        return 404, _problem(404, "Resource Not Found", "The requested resource could not be found.")
    if method == "GET":
        return 200, held
    if action == "/actions/delete-permanent":
        store.remove("mailchimp", "members", [key])
        store.put("mailchimp", "forgotten", {key: {}})
        return 204, None
    if method == "DELETE":
        if held is not None and held["status"] == "archived":
            return 405, _problem(405, "Method Not Allowed", "This list member cannot be removed.")
        store.put("mailchimp", "members", {key: {**(held or {}), "status": "archived"}})
        return 204, None
    if action == "/tags":
        return _tag(store, key, held or {}, told)
    return _put(store, key, held, told)


def _tag(store: Store, key: str, held: dict[str, Any], told: dict[str, Any]) -> Answered:
    tags = set(held["tags"])
    for tag in told["tags"]:
        if tag["status"] not in ("active", "inactive"):
            return 400, _problem(400, "Invalid Resource", "A tag is active or inactive.")
        tags = tags | {tag["name"]} if tag["status"] == "active" else tags - {tag["name"]}
    store.put("mailchimp", "members", {key: {**held, "tags": sorted(tags)}})
    return 204, None


def _put(store: Store, key: str, held: dict[str, Any] | None, told: dict[str, Any]) -> Answered:
    email = str(told.get("email_address") or (held or {}).get("email_address"))
    if not EMAIL.fullmatch(email):
        return 400, _problem(400, "Invalid Resource", "Please provide a valid email address.", "email_address")
    if held is None and md5(email.lower().encode(), usedforsecurity=False).hexdigest() != key:
        return 400, _problem(400, "Invalid Resource", "The subscriber hash is not of this address.", "email_address")
    if store.get("mailchimp", "forgotten", key) is not None:
        detail = f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe."
        return 400, _problem(400, "Forgotten Email Not Subscribed", detail)
    status = told.get("status") or (held["status"] if held else told.get("status_if_new"))
    if status not in STATUSES and not (held and status == "archived"):
        return 400, _problem(400, "Invalid Resource", "A status is required of a new member.", "status_if_new")
    if held and held["status"] in ("unsubscribed", "cleaned") and status == "subscribed":
        return 400, _problem(400, "Member In Compliance State", f"{email} is in a compliance state.")
    fields = {**(held or {}).get("merge_fields", {}), **told.get("merge_fields", {})}
    kept = {name: value for name, value in fields.items() if value != ""}
    member = {"id": key, "email_address": email, "status": status, "merge_fields": kept}
    store.put("mailchimp", "members", {key: {**member, "tags": (held or {}).get("tags", [])}})
    return 200, member


def _problem(status: int, title: str, detail: str, *fields: str) -> dict[str, Any]:
    body = {"type": "https://mailchimp.com/developer/marketing/docs/errors/", "title": title, "status": status}
    errors = [{"field": field, "message": detail} for field in fields]
    return {**body, "detail": detail, "instance": "sandbox", **({"errors": errors} if errors else {})}
