"""Klaviyo: bulk import jobs of up to 10,000 profiles, their errors, lists, look-ups and deletion for privacy.

From the API reference: every request names its revision; an import is taken with a 202 and done later; its errors come
in pages, each with the payload it is about; JSON:API errors point at what is wrong; at most 1,000 leave a list at once.
"""

import re
import secrets
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

KEY = "sandbox-klaviyo-key"
LISTS = {"Sb4nDx": "Catchment sandbox list"}
PROFILES_PER_JOB, BYTES_PER_JOB, BYTES_PER_PROFILE = 10_000, 5_000_000, 100_000
LEAVERS_PER_REQUEST, ASKED_AT_ONCE, PAGE = 1_000, 100, 20
IDENTIFIERS = ("email", "phone_number", "external_id")
ATTRIBUTES = {
    *(*IDENTIFIERS, "id", "first_name", "last_name", "organization"),
    *("locale", "title", "image", "location", "properties"),
}
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
PHONE = re.compile(r"\+[1-9]\d{6,14}")
FILTER = re.compile(r"any\((email|phone_number|external_id|id),(\[.*\])\)")
Answered = tuple[int, Any]


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Klaviyo does."""
    if status == 429:
        headers = {"Retry-After": str(retry_after_s), "RateLimit-Remaining": "0", "RateLimit-Reset": str(retry_after_s)}
        return Failure(headers, _errors("throttled", "Request was throttled."))
    if status == 401:
        return Failure({}, _errors("not_authenticated", "Authentication credentials were not provided."))
    return Failure({}, _errors("invalid" if status == 400 else "error", f"refused with {status}"))


def routes(store: Store) -> APIRouter:
    """Give Klaviyo's endpoints over the store."""
    router = APIRouter()

    @router.api_route("/api/{path:path}", methods=["GET", "POST", "DELETE"])
    async def api(path: str, request: Request) -> Response:
        if request.headers.get("authorization") != f"Klaviyo-API-Key {KEY}":
            return answer(401, fail(401, 0).body)
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", request.headers.get("revision", "")):
            return answer(400, _errors("invalid", "The revision header is required."))
        query = {**request.query_params, "base": str(request.base_url)}
        status, body = _serve(store, f"{request.method} {path}", query, await request.body())
        return Response(status_code=204) if status == 204 else answer(status, body)

    return router


def _serve(store: Store, called: str, query: dict[str, str], body: bytes) -> Answered:
    try:
        content = orjson.loads(body or b"null")
    except orjson.JSONDecodeError:
        return 400, _errors("invalid", "The body is not JSON.")
    if called == "GET profiles":
        return _look_up(store, query)
    if called == "POST profile-bulk-import-jobs":
        return _import(store, content["data"], len(body))
    if called == "POST data-privacy-deletion-jobs":
        return _delete(store, content["data"]["attributes"]["profile"]["data"])
    job = re.fullmatch(r"GET profile-bulk-import-jobs/(\w+)(/import-errors)?", called)
    held = store.get("klaviyo", "jobs", job[1]) if job else None
    if job and held is not None:
        return _job_errors(held, query) if job[2] else _job(store, held)
    members = re.fullmatch(r"DELETE lists/(\w+)/relationships/profiles", called)
    if members and members[1] in LISTS:
        return _leave(store, members[1], content["data"])
    return 404, _errors("not_found", f"Not found: {called}")


def _look_up(store: Store, query: dict[str, str]) -> Answered:
    profiles = store.records("klaviyo").get("profiles", {}).values()
    asked = FILTER.fullmatch(query.get("filter", ""))
    if "filter" in query and not asked:
        return 400, _errors("invalid", "Invalid filter provided.", parameter="filter")
    if not 1 <= int(query.get("page[size]", PAGE)) <= ASKED_AT_ONCE:
        return 400, _errors("invalid", "Page size must be between 1 and 100.", parameter="page[size]")
    wanted = set(orjson.loads(asked[2])) if asked else set()
    if len(wanted) > ASKED_AT_ONCE:
        return 400, _errors("invalid", "A filter takes at most 100 values.", parameter="filter")
    found = [one for one in profiles if not asked or one.get(asked[1]) in wanted]
    data = [{"type": "profile", "id": one["id"], "attributes": one} for one in found[:ASKED_AT_ONCE]]
    return 200, {"data": data, "links": {"self": query["base"], "next": None}}


def _import(store: Store, job: dict[str, Any], size: int) -> Answered:
    profiles = job["attributes"]["profiles"]["data"]
    lists = [one["id"] for one in job.get("relationships", {}).get("lists", {}).get("data", [])]
    if not profiles or len(profiles) > PROFILES_PER_JOB or size > BYTES_PER_JOB:
        return 400, _errors("invalid", "An import takes 1 to 10,000 profiles and 5 MB.", pointer="/data")
    if any(one not in LISTS for one in lists):
        return 404, _errors("not_found", "A list with this id does not exist.", pointer="/data/relationships/lists")
    for number, one in enumerate(profiles):
        unknown = set(one["attributes"]) - ATTRIBUTES
        pointer = f"/data/attributes/profiles/data/{number}/attributes/"
        if unknown:
            return 400, _errors("invalid", f"'{min(unknown)}' is not a valid field.", pointer=pointer + min(unknown))
        if not any(one["attributes"].get(name) for name in IDENTIFIERS) or len(orjson.dumps(one)) > BYTES_PER_PROFILE:
            return 400, _errors("invalid", "One identifier and at most 100 KB are required.", pointer=pointer)
    errors = []
    for one in profiles:
        fault = _fault(one["attributes"])
        if fault is None:
            _put(store, one["attributes"], lists)
        else:
            name, detail = fault
            told = _errors("invalid", detail, pointer=f"/data/attributes/{name}")["errors"][0]
            attributes = {**told, "original_payload": one["attributes"]}
            errors.append({"type": "import-error", "id": secrets.token_hex(8), "attributes": attributes})
    job_id = secrets.token_hex(8)
    held = {"id": job_id, "total": len(profiles), "errors": errors, "asked": 0}
    store.put("klaviyo", "jobs", {job_id: held})
    return 202, _told(held, "queued")


def _job(store: Store, held: dict[str, Any]) -> Answered:
    store.put("klaviyo", "jobs", {held["id"]: {**held, "asked": held["asked"] + 1}})
    return 200, _told(held, "complete" if held["asked"] else "processing")


def _told(held: dict[str, Any], status: str) -> dict[str, Any]:
    counts = {"total_count": held["total"], "completed_count": held["total"] if status == "complete" else 0}
    attributes = {"status": status, **counts, "failed_count": len(held["errors"]) if status == "complete" else 0}
    return {"data": {"type": "profile-bulk-import-job", "id": held["id"], "attributes": attributes}}


def _job_errors(held: dict[str, Any], query: dict[str, str]) -> Answered:
    first, size = int(query.get("page[cursor]", 0)), int(query.get("page[size]", PAGE))
    later = first + size
    path = f"{query['base']}klaviyo/api/profile-bulk-import-jobs/{held['id']}/import-errors"
    following = f"{path}?page[cursor]={later}&page[size]={size}" if later < len(held["errors"]) else None
    return 200, {"data": held["errors"][first:later], "links": {"self": path, "next": following}}


def _leave(store: Store, list_id: str, profiles: list[dict[str, Any]]) -> Answered:
    if not profiles or len(profiles) > LEAVERS_PER_REQUEST:
        return 400, _errors("invalid", "A request takes 1 to 1,000 profiles.", pointer="/data")
    store.remove("klaviyo", f"list_{list_id}", [one["id"] for one in profiles])
    return 204, None


def _delete(store: Store, profile: dict[str, Any]) -> Answered:
    given = [name for name in ("email", "phone_number") if name in profile.get("attributes", {})]
    if len(given) + ("id" in profile) != 1:
        return 400, _errors("invalid", "Exactly one of email, phone_number and id is required.", pointer="/data")
    held = [profile["id"]] if "id" in profile else _ids(store, given[0], profile["attributes"][given[0]])
    store.remove("klaviyo", "profiles", held)
    for list_id in LISTS:
        store.remove("klaviyo", f"list_{list_id}", held)
    return 202, None


def _fault(profile: dict[str, Any]) -> tuple[str, str] | None:
    email, phone = profile.get("email"), profile.get("phone_number")
    if email is not None and not EMAIL.fullmatch(str(email)):
        return "email", f"Invalid email address: {email}"
    if phone is not None and not PHONE.fullmatch(str(phone)):
        return "phone_number", f"Invalid phone number format: {phone}. Use E.164."
    return None


def _ids(store: Store, name: str, value: str) -> list[str]:
    key = f"{name}={value.lower()}"
    known = store.get("klaviyo", "known", key)
    return [] if known is None or store.get("klaviyo", "profiles", known["id"]) is None else [known["id"]]


def _put(store: Store, told: dict[str, Any], lists: list[str]) -> None:
    given = {name: str(told[name]) for name in IDENTIFIERS if told.get(name)}
    found = next((one for name, value in given.items() for one in _ids(store, name, value)), None)
    held = (store.get("klaviyo", "profiles", found) if found else None) or {"id": f"01{secrets.token_hex(12).upper()}"}
    properties = {**held.get("properties", {}), **(told.get("properties") or {})}
    profile = {**held, **told, "properties": {name: one for name, one in properties.items() if one is not None}}
    store.put("klaviyo", "profiles", {held["id"]: {name: one for name, one in profile.items() if one is not None}})
    store.put("klaviyo", "known", {f"{name}={value.lower()}": {"id": held["id"]} for name, value in given.items()})
    for list_id in lists:
        store.put("klaviyo", f"list_{list_id}", {held["id"]: {}})


def _errors(code: str, detail: str, **source: str) -> dict[str, Any]:
    error = {"id": secrets.token_hex(8), "code": code, "title": "Invalid input.", "detail": detail, "source": source}
    return {"errors": [error]}
