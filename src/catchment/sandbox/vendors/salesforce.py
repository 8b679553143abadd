"""Salesforce: OAuth client credentials, and the upsert of up to 200 records of one type by an external id.

From the REST API guide: a collection answers 200 with one result per record in request order, even where all failed;
a key that comes twice in a request fails both copies; an expired session is a 401 with INVALID_SESSION_ID.
"""

import re
import secrets
from collections import Counter
from typing import Any
from urllib.parse import parse_qsl

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.salesforce_jobs import Jobs
from catchment.sandbox.store import Store

CLIENT_ID, CLIENT_SECRET = "sandbox-salesforce-client", "sandbox-salesforce-secret"
RECORDS_PER_REQUEST = 200
REQUESTS_PER_DAY = 100_000
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FIELDS: dict[str, dict[str, int]] = {
    "Lead": {
        "FirstName": 40,
        "LastName": 80,
        "Company": 255,
        "Email": 80,
        "Phone": 40,
        "Title": 128,
        "Country": 80,
        "CountryCode": 10,
        "LeadSource": 255,
        "Status": 255,
        "Website": 255,
        "Description": 32_000,
    },
    "Contact": {
        "FirstName": 40,
        "LastName": 80,
        "Email": 80,
        "Phone": 40,
        "Title": 128,
        "LeadSource": 255,
        "MailingCountry": 80,
        "Description": 32_000,
    },
}
REQUIRED = {"Lead": ("LastName", "Company"), "Contact": ("LastName",)}
CUSTOM = re.compile(r"[A-Za-z][A-Za-z0-9_]*__c")
CUSTOM_LENGTH = 255


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Salesforce does."""
    if status in (403, 429):
        body = {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
        return Failure({"Retry-After": str(retry_after_s)}, [body])
    if status == 401:
        return Failure({}, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    if status == 503:
        return Failure({}, [{"message": "The server is busy.", "errorCode": "SERVER_UNAVAILABLE"}])
    return Failure({}, [{"message": "An unexpected error occurred.", "errorCode": "UNKNOWN_EXCEPTION"}])


def routes(store: Store) -> APIRouter:
    """Give Salesforce's endpoints over the store."""
    router = APIRouter()

    @router.post("/services/oauth2/token")
    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        if form.get("grant_type") != "client_credentials":
            return answer(400, {"error": "unsupported_grant_type", "error_description": "grant type not supported"})
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return answer(400, {"error": "invalid_client", "error_description": "invalid client credentials"})
        issued = secrets.token_urlsafe(32)
        store.put("salesforce", "tokens", {issued: {}})
        instance = f"{str(request.base_url).rstrip('/')}/salesforce"
        return answer(200, {"access_token": issued, "instance_url": instance, "token_type": "Bearer", "scope": "api"})

    @router.patch("/services/data/{version}/composite/sobjects/{kind}/{id_field}")
    async def upsert(version: str, kind: str, id_field: str, request: Request) -> Response:
        held = request.headers.get("authorization", "").removeprefix("Bearer ")
        if store.get("salesforce", "tokens", held) is None:
            return answer(401, fail(401, 0).body)
        if not re.fullmatch(r"v\d+\.0", version) or kind not in FIELDS or not CUSTOM.fullmatch(id_field):
            return answer(404, [{"message": "The requested resource does not exist", "errorCode": "NOT_FOUND"}])
        used = f"api-usage={store.requests('salesforce')}/{REQUESTS_PER_DAY}"
        status, body = _upsert(store, kind, id_field, await request.body())
        return answer(status, body, {"Sforce-Limit-Info": used})

    @router.api_route("/services/data/{version}/jobs/ingest{rest:path}", methods=["GET", "POST", "PUT", "PATCH"])
    async def ingest(version: str, rest: str, request: Request) -> Response:
        held = request.headers.get("authorization", "").removeprefix("Bearer ")
        if store.get("salesforce", "tokens", held) is None:
            return answer(401, fail(401, 0).body)
        jobs = Jobs(store, set(FIELDS), lambda *parts: _upsert(store, *parts)[1])
        return jobs.answer(request.method, rest.strip("/").split("/"), await request.body())

    return router


def _upsert(store: Store, kind: str, id_field: str, body: bytes) -> tuple[int, list[dict[str, Any]]]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return 400, [{"message": "The body is not JSON.", "errorCode": "JSON_PARSER_ERROR"}]
    records = content.get("records") if isinstance(content, dict) else None
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records) or not records:
        return 400, [{"message": "A list of records is required.", "errorCode": "INVALID_INPUT"}]
    if len(records) > RECORDS_PER_REQUEST:
        message = f"At most {RECORDS_PER_REQUEST} records may come in one call."
        return 400, [{"message": message, "errorCode": "EXCEEDED_ID_LIMIT"}]
    times = Counter(str(record.get(id_field)) for record in records)
    results, changed = [], {}
    for record in records:
        key = record.get(id_field)
        held = store.get("salesforce", kind, key) if isinstance(key, str) else None
        errors = _errors(record, kind, id_field, is_new=held is None)
        if not errors and times[str(key)] > 1:
            errors = [_error("DUPLICATE_VALUE", f"duplicate value found: {id_field} comes twice", id_field)]
        if errors:
            results.append({"success": False, "errors": errors})
            continue
        record_id = held["Id"] if held is not None else "00Q" + secrets.token_hex(8)[:15].upper()
        fields = {name: value for name, value in record.items() if name != "attributes"}
        changed[key] = {**(held or {}), **fields, "Id": record_id}
        results.append({"id": record_id, "success": True, "created": held is None, "errors": []})
    if content.get("allOrNone") and len(changed) < len(records):
        return 200, [_rolled_back(result) for result in results]
    store.put("salesforce", kind, {key: record for key, record in changed.items() if isinstance(key, str)})
    return 200, results


def _errors(record: dict[str, Any], kind: str, id_field: str, *, is_new: bool) -> list[dict[str, Any]]:
    if (record.get("attributes") or {}).get("type") != kind:
        return [_error("INVALID_TYPE", f"attributes.type must be {kind}")]
    if not isinstance(record.get(id_field), str) or not record[id_field]:
        return [_error("MISSING_ARGUMENT", f"{id_field} not specified", id_field)]
    lengths = FIELDS[kind]
    for name, value in record.items():
        if name != "attributes" and name not in lengths and not CUSTOM.fullmatch(name):
            return [_error("INVALID_FIELD", f"No such column '{name}' on sobject of type {kind}", name)]
        if isinstance(value, str) and len(value) > lengths.get(name, CUSTOM_LENGTH):
            return [_error("STRING_TOO_LONG", f"{name}: data value too large", name)]
    missing = [name for name in REQUIRED[kind] if record.get(name, None if is_new else name) in (None, "")]
    if missing:
        return [_error("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", *missing)]
    email = record.get("Email")
    if email is not None and not (isinstance(email, str) and EMAIL.fullmatch(email)):
        return [_error("INVALID_EMAIL_ADDRESS", f"Email: invalid email address: {email}", "Email")]
    return []


def _error(code: str, message: str, *fields: str) -> dict[str, Any]:
    return {"statusCode": code, "message": message, "fields": list(fields)}


def _rolled_back(result: dict[str, Any]) -> dict[str, Any]:
    if not result["success"]:
        return result
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    return {"success": False, "errors": [_error("ALL_OR_NONE_OPERATION_ROLLED_BACK", message)]}
