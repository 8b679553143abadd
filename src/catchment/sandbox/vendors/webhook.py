"""An endpoint that takes signed calls as Standard Webhooks says, and keeps the rows that it is told of by their id.

From the Standard Webhooks specification: the signature is an HMAC-SHA256 of id, timestamp and body, joined by dots;
a timestamp that is more than five minutes off is refused; an id that was seen before is answered and not done again.
"""

import hmac
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

SECRET = "whsec_c2FuZGJveC13ZWJob29rLXNlY3JldA=="
TOLERANCE_S = 300
GONE = {"remove", "archive", "clear", "forget"}


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error in the plainest way."""
    headers = {"Retry-After": str(retry_after_s)} if status in (429, 503) else {}
    return Failure(headers, {"error": f"status {status}, as ordered"})


def routes(store: Store) -> APIRouter:
    """Give the endpoint over the store."""
    router = APIRouter()

    @router.head("/rows")
    async def head(request: Request) -> Response:
        return Response(status_code=200 if _is_signed(request, b"") else 401)

    @router.api_route("/rows", methods=["POST", "PUT", "PATCH"])
    async def rows(request: Request) -> Response:
        body = await request.body()
        if not _is_signed(request, body):
            return answer(401, {"error": "the signature is wrong or old"})
        try:
            content = orjson.loads(body)
            operation = str(content["operation"])
            told = content["rows"] if "rows" in content else [content["row"]]
            keys = [row["id"] for row in told]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return answer(400, {"error": "operation and rows with an id are required"})
        if not request.headers.get("content-type", "").startswith("application/json"):
            return answer(415, {"error": "JSON is required"})
        call = request.headers["webhook-id"]
        if store.get("webhook", "calls", call) is None:
            bad = _change(store, operation, dict(zip(keys, told, strict=True)))
            store.put("webhook", "calls", {call: {"rejected": bad, "operation": operation}})
        seen = store.get("webhook", "calls", call) or {}
        return answer(200, {"rejected": seen["rejected"]})

    return router


def _is_signed(request: Request, body: bytes) -> bool:
    name, moment, signatures = (request.headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
    if not moment.isdigit() or abs(time.time() - int(moment)) > TOLERANCE_S:
        return False
    key = b64decode(SECRET.removeprefix("whsec_"))
    right = f"v1,{b64encode(hmac.digest(key, f'{name}.{moment}.'.encode() + body, sha256)).decode()}"
    return any(hmac.compare_digest(one.encode(), right.encode()) for one in signatures.split())


def _change(store: Store, operation: str, told: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    if operation in GONE:
        store.remove("webhook", "rows", told)
        return []
    bad = [
        {"index": number, "code": "bad_address", "reason": "email: there is no @ in it"}
        for number, row in enumerate(told.values())
        if "@" not in str(row.get("email", "@"))
    ]
    refused = {fault["index"] for fault in bad}
    store.put("webhook", "rows", {key: row for number, (key, row) in enumerate(told.items()) if number not in refused})
    return bad
