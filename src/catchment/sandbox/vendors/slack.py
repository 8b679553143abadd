"""Slack: `auth.test` and `chat.postMessage`.

From the Web API reference: an answer is a 200 whose body says ok or names an error; only pace is a 429, with the
seconds to wait; a text holds at most 40,000 characters, a message at most 50 blocks; the same message twice is two.
"""

import itertools
import time
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Failure
from catchment.sandbox.store import Store

TOKEN = "xoxb-sandbox-slack-token"
CHANNELS = {"C0SANDBOX": "catchment", "C0ARCHIVED": "old"}
CHARACTERS, BLOCKS = 40_000, 50


def fail(status: int, retry_after_s: int) -> Failure:
    """Word an error as Slack does."""
    if status == 429:
        return Failure({"Retry-After": str(retry_after_s)}, {"ok": False, "error": "ratelimited"})
    if status == 401:
        return Failure({}, {"ok": False, "error": "invalid_auth"})
    return Failure({}, {"ok": False, "error": "internal_error" if status >= 500 else "invalid_arguments"})


def routes(store: Store) -> APIRouter:
    """Give Slack's methods over the store."""
    router = APIRouter()
    numbers = itertools.count(1)

    @router.post("/auth.test")
    async def test(request: Request) -> Response:
        fault = _fault_of_key(request)
        return answer(200, {"ok": False, "error": fault} if fault else {"ok": True, "team": "Sandbox", "user": "app"})

    @router.post("/chat.postMessage")
    async def post(request: Request) -> Response:
        fault = _fault_of_key(request)
        content: dict[str, Any] = {}
        if fault is None:
            content = orjson.loads(await request.body())
            fault = _fault(content)
        if fault is not None:
            return answer(200, {"ok": False, "error": fault})
        stamp = f"{int(time.time())}.{next(numbers):06}"
        store.put("slack", content["channel"], {stamp: content})
        return answer(200, {"ok": True, "channel": content["channel"], "ts": stamp, "message": content})

    return router


def _fault_of_key(request: Request) -> str | None:
    given = request.headers.get("authorization")
    return None if given == f"Bearer {TOKEN}" else "invalid_auth" if given else "not_authed"


def _fault(content: dict[str, Any]) -> str | None:
    if content.get("channel") not in CHANNELS:
        return "channel_not_found"
    if content["channel"] == "C0ARCHIVED":
        return "is_archived"
    text, blocks = content.get("text"), content.get("blocks")
    if not text and not blocks:
        return "no_text"
    if text is not None and (not isinstance(text, str) or len(text) > CHARACTERS):
        return "msg_too_long"
    if blocks is not None and (not isinstance(blocks, list) or len(blocks) > BLOCKS):
        return "invalid_blocks"
    metadata = content.get("metadata")
    if metadata is not None and not {"event_type", "event_payload"} <= metadata.keys():
        return "invalid_metadata_format"
    return None
