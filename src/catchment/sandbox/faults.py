"""Misbehaviour on order: a vendor that throttles, breaks, hangs up, answers late, or works and then does not say so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel, ConfigDict, Field

from catchment.sandbox.store import Store

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class Failure(NamedTuple):
    """How one vendor words an error: its headers and its body."""

    headers: dict[str, str]
    body: Any


class Fault(BaseModel):
    """One order: what goes wrong, how many times, after how many requests that go well."""

    model_config = ConfigDict(extra="forbid")

    vendor: str
    status: int | None = Field(default=None, ge=100, le=599, description="Answered in the vendor's own words.")
    times: int = Field(default=1, ge=1)
    after: int = Field(default=0, ge=0, description="So many requests go well first.")
    body: Any = Field(default=None, description="Answered instead of the vendor's own words.")
    headers: dict[str, str] = {}
    retry_after_s: int = Field(default=1, ge=0, description="What the vendor asks for with a 429.")
    drop: bool = Field(default=False, description="Hang up in the middle of the answer.")
    delay_s: float = Field(default=0, ge=0, description="Answer so late.")
    accepted: bool = Field(default=False, description="Do what is asked before going wrong.")


class Misbehaving:
    """The vendors' applications with the ordered faults in front of them; counts every request too."""

    def __init__(
        self, application: Application, store: Store, wordings: Mapping[str, Callable[[int, int], Failure]]
    ) -> None:
        self.application = application
        self.store = store
        self.wordings = wordings

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, well or as ordered."""
        vendor = scope.get("path", "").split("/")[1:2]
        if scope["type"] != "http" or not vendor or vendor[0] not in self.wordings:
            await self.application(scope, receive, send)
            return
        self.store.count_request(vendor[0])
        fault = self._take(vendor[0])
        if fault is None:
            await self.application(scope, receive, send)
            return
        await asyncio.sleep(fault.delay_s)
        if fault.accepted:
            await self.application(scope, receive, _swallow)
        if fault.drop:
            await _hang_up(send)
        elif fault.status is not None:
            await self._fail(fault, send)
        elif not fault.accepted:
            await self.application(scope, receive, send)

    def _take(self, vendor: str) -> Fault | None:
        due = self.store.first_fault(vendor)
        if due is None:
            return None
        number, fault = due[0], Fault(**due[1])
        if fault.after > 0:
            self.store.keep_fault(number, fault.model_copy(update={"after": fault.after - 1}).model_dump())
            return None
        left = fault.model_copy(update={"times": fault.times - 1})
        self.store.keep_fault(number, left.model_dump() if left.times else None)
        return fault

    async def _fail(self, fault: Fault, send: Send) -> None:
        assert fault.status is not None
        failure = self.wordings[fault.vendor](fault.status, fault.retry_after_s)
        body = orjson.dumps(failure.body if fault.body is None else fault.body)
        headers = {"content-type": "application/json", **failure.headers, **fault.headers}
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": fault.status, "headers": pairs})
        await send({"type": "http.response.body", "body": body})


async def _swallow(message: Message) -> None:
    """Drop the answer of a vendor that did the work and then could not say so."""


async def _hang_up(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionAbortedError("The sandbox hung up, as ordered.")
