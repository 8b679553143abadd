"""Google: access tokens, and the audience members of the Data Manager API, taken at once and judged later.

From the Data Manager API's reference: one member that is not well formed fails the whole request, with its field's path
in `fieldViolations`; what was taken is told by request id, first as PROCESSING, and in counts only.
"""

import re
import secrets
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "sandbox-google-client", "sandbox-google-secret", "sandbox-google-refresh"
ACCOUNT_ID, LIST_ID = "1234567890", "77001"
MEMBERS_PER_REQUEST, IDENTIFIERS_PER_MEMBER = 10_000, 10
SHA256 = re.compile(r"[0-9a-f]{64}")
CONSENT = {"CONSENT_GRANTED", "CONSENT_DENIED"}
WORDS = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Google's APIs do."""
    headers = {"Retry-After": str(retry_after_s)} if status in (429, 503) else {}
    return Failure(headers, _error(status, WORDS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")))


def routes(store: Store) -> APIRouter:
    """Give the endpoints over the store."""
    router = APIRouter()

    @router.post("/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return answer(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."})
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != REFRESH_TOKEN:
            return answer(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        issued = secrets.token_urlsafe(24)
        store.put("google", "tokens", {issued: {}})
        return answer(200, {"access_token": issued, "expires_in": 3599, "token_type": "Bearer"})

    @router.post("/v1/audienceMembers:{verb}")
    async def members(verb: str, request: Request) -> Response:
        if not _is_known(store, request):
            return answer(401, fail(401, 0).body)
        return _take(store, verb, await request.body())

    @router.get("/v1/requestStatus:retrieve")
    async def status(request: Request) -> Response:
        if not _is_known(store, request):
            return answer(401, fail(401, 0).body)
        name = request.query_params.get("requestId", "")
        held = store.get("google", "requests", name)
        if held is None:
            return answer(404, _error(404, "NOT_FOUND"))
        store.put("google", "requests", {name: {**held, "polls": held["polls"] + 1}})
        told = "SUCCESS" if held["polls"] else "PROCESSING"
        return answer(200, {"requestStatusPerDestination": [{"requestStatus": told}]})

    return router


def _take(store: Store, verb: str, body: bytes) -> Response:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = {}
    fault = _fault(content, is_added=verb == "ingest")
    if fault is not None:
        status = 404 if fault[0] == "destinations[0]" else 400
        return answer(status, _error(status, WORDS.get(status, "INVALID_ARGUMENT"), *fault))
    people = {orjson.dumps(member["userData"]).decode(): member["userData"] for member in content["audienceMembers"]}
    if verb == "ingest":
        store.put("google", "members", people)
    else:
        store.remove("google", "members", people)
    name = secrets.token_hex(8)
    store.put("google", "requests", {name: {"count": len(people), "verb": verb, "polls": 0}})
    return answer(200, {"requestId": name})


def _is_known(store: Store, request: Request) -> bool:
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    return store.get("google", "tokens", token) is not None


def _fault(content: dict[str, Any], *, is_added: bool) -> tuple[str, str] | None:
    (destination,) = content.get("destinations") or [{}]
    account = (destination.get("operatingAccount") or {}).get("accountId")
    if (account, destination.get("productDestinationId")) != (ACCOUNT_ID, LIST_ID):
        return "destinations[0]", "INVALID_DESTINATION"
    if content.get("encoding") != "HEX":
        return "encoding", "REQUIRED_FIELD_MISSING"
    terms = (content.get("termsOfService") or {}).get("customerMatchTermsOfServiceStatus")
    if is_added and (terms != "ACCEPTED" or not set((content.get("consent") or {"": ""}).values()) <= CONSENT):
        return "terms_of_service", "TERMS_AND_CONDITIONS_NOT_SIGNED"
    members = content.get("audienceMembers") or []
    if not 0 < len(members) <= MEMBERS_PER_REQUEST:
        return "audience_members", "TOO_MANY_AUDIENCE_MEMBERS"
    for number, member in enumerate(members):
        identifiers = (member.get("userData") or {}).get("userIdentifiers") or []
        place = f"audience_members.audience_members[{number}].user_data.user_identifiers"
        if not 0 < len(identifiers) <= IDENTIFIERS_PER_MEMBER:
            return place, "TOO_MANY_USER_IDENTIFIERS"
        if not all(map(_is_well_formed, identifiers)):
            return place, "INVALID_SHA256_FORMAT"
    return None


def _is_well_formed(identifier: dict[str, Any]) -> bool:
    ((kind, value),) = identifier.items()
    if kind in ("emailAddress", "phoneNumber"):
        return SHA256.fullmatch(str(value)) is not None
    names = [str(value.get(name)) for name in ("givenName", "familyName")]
    whole = re.fullmatch("[A-Za-z]{2}", str(value.get("regionCode"))) and value.get("postalCode")
    return kind == "address" and bool(whole) and all(map(SHA256.fullmatch, names))


def _error(status: int, word: str, field: str = "", reason: str = "") -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason or word}]
    if field:
        violation = {"field": field, "description": reason, "reason": reason}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})  # type: ignore[dict-item]
    return {"error": {"code": status, "message": f"{word} as documented.", "status": word, "details": details}}
