"""Meta: the people of custom audiences, added and removed by hashed identifiers, up to 10,000 a request.

From the Marketing API's custom audience reference: an answer counts what was received and what was invalid, with some
samples, and says nothing of each row. What must be hashed must be a lower-case hexadecimal SHA-256.
"""

import re
import secrets
import zlib
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

TOKEN = "sandbox-meta-token"
AUDIENCES = {"120210000000000001": "Catchment sandbox audience"}
ROWS_PER_REQUEST = 10_000
SAMPLES = 10
HASHED = {
    *("EMAIL", "PHONE", "GEN", "DOBY", "DOBM", "DOBD", "FN", "LN", "FI", "CT", "ST", "ZIP", "COUNTRY"),
}
PLAIN = {"MADID", "EXTERN_ID", "LOOKALIKE_VALUE"}
SHA256 = re.compile(r"[0-9a-f]{64}")
USAGE = "X-Business-Use-Case-Usage"


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as the Graph API does."""
    if status == 429:
        usage = {"type": "custom_audience", "call_count": 100, "estimated_time_to_regain_access": 1}
        headers = {"Retry-After": str(retry_after_s), USAGE: orjson.dumps({"1": [usage]}).decode()}
        return Failure(headers, _error(80003, "There have been too many calls to this ad-account."))
    if status == 401:
        return Failure({}, _error(190, "Invalid OAuth access token - Cannot parse access token"))
    return Failure({}, _error(2, "An unexpected error has occurred. Please retry your request later."))


def routes(store: Store) -> APIRouter:
    """Give the endpoints of custom audiences over the store."""
    router = APIRouter()

    @router.get("/{version}/me")
    async def me(version: str, request: Request) -> Response:
        if not _is_known(request, {}):
            return answer(401, fail(401, 0).body)
        return answer(200, {"id": "1"})

    @router.post("/{version}/{audience_id}/usersreplace")
    @router.api_route("/{version}/{audience_id}/users", methods=["POST", "DELETE"])
    async def users(version: str, audience_id: str, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        if not _is_known(request, form):
            return answer(401, fail(401, 0).body)
        if audience_id not in AUDIENCES:
            message = f"Unsupported {request.method.lower()} request. Object with ID '{audience_id}' does not exist"
            return answer(400, _error(100, message, subcode=33))
        fault, schema, data = _read(form.get("payload", ""))
        if fault is not None:
            return answer(400, _error(100, fault))
        usage = {"type": "custom_audience", "call_count": 1, "estimated_time_to_regain_access": 0}
        rows, is_added = [(schema, row) for row in data], request.method == "POST"
        if request.url.path.endswith("/usersreplace"):
            fault = _begin(store, audience_id, form.get("session", ""))
            if fault is not None:
                return answer(400, _error(100, fault))
            is_added = True
        body = _change(store, audience_id, rows, is_added=is_added)
        return answer(200, body, {USAGE: orjson.dumps({"1": [usage]}).decode()})

    return router


def _is_known(request: Request, form: dict[str, str]) -> bool:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    return TOKEN in (bearer, request.query_params.get("access_token"), form.get("access_token"))


def _read(payload: str) -> tuple[str | None, list[str], list[Any]]:
    try:
        content = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return "Invalid parameter: payload is not JSON", [], []
    schema = content.get("schema") if isinstance(content, dict) else None
    data = content.get("data") if isinstance(content, dict) else None
    schema = [schema] if isinstance(schema, str) else schema
    if not isinstance(schema, list) or not schema or not isinstance(data, list) or not data:
        return "Invalid parameter: payload needs a schema and data", [], []
    unknown = [name for name in schema if name not in HASHED | PLAIN]
    if unknown:
        return f"Invalid parameter: schema has the unknown key {unknown[0]}", [], []
    if len(data) > ROWS_PER_REQUEST:
        return f"Invalid parameter: at most {ROWS_PER_REQUEST} rows may come in one call", [], []
    return None, schema, data


def _begin(store: Store, audience_id: str, text: str) -> str | None:
    """Start or go on with a replacement: its first batch empties the audience, and each follows the one before."""
    try:
        session = orjson.loads(text)
        name, number = str(session["session_id"]), int(session["batch_seq"])
        is_last = bool(session["last_batch_flag"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return "Invalid parameter: a replacement needs session_id, batch_seq and last_batch_flag"
    held = store.get("meta", "sessions", name) or {"next": 1, "is_closed": False}
    if held["is_closed"] or number != held["next"]:
        return f"Invalid parameter: batch {number} of the session is not the one that is due"
    if number == 1:
        store.remove("meta", audience_id, store.records("meta").get(audience_id, {}))
    store.put("meta", "sessions", {name: {"next": number + 1, "is_closed": is_last}})
    return None


def _change(store: Store, audience_id: str, rows: list[tuple[list[str], Any]], *, is_added: bool) -> dict[str, Any]:
    people, invalid = {}, []
    for schema, row in rows:
        values = row if isinstance(row, list) else [row]
        if _is_valid(schema, values):
            person = {name: value for name, value in zip(schema, values, strict=True) if value != ""}
            people[orjson.dumps(person, option=orjson.OPT_SORT_KEYS).decode()] = person
        else:
            invalid.append(values)
    if is_added:
        store.put("meta", audience_id, people)
    else:
        store.remove("meta", audience_id, people)
    return {
        "audience_id": audience_id,
        "session_id": str(zlib.crc32(secrets.token_bytes(8))),
        "num_received": len(rows),
        "num_invalid_entries": len(invalid),
        "invalid_entry_samples": invalid[:SAMPLES],
    }


def _is_valid(schema: list[str], values: list[Any]) -> bool:
    if len(values) != len(schema) or not all(isinstance(value, str) for value in values) or not any(values):
        return False
    return all(
        not value or name in PLAIN or SHA256.fullmatch(value) for name, value in zip(schema, values, strict=True)
    )


def _error(code: int, message: str, *, subcode: int | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    return {"error": {**error, "fbtrace_id": secrets.token_urlsafe(8)}}
