"""An endpoint of your own, called with rows in JSON or in whatever a Liquid template makes of them."""

import hmac
import time
from base64 import b64decode, b64encode
from functools import cache
from hashlib import sha256
from typing import Any, ClassVar, Literal

import httpx
import orjson
from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError
from pydantic import Field, SecretStr, field_validator

from catchment.activate.batch import Operation
from catchment.activate.caller import Caller
from catchment.activate.definition import Leave, Mode, Sync
from catchment.activate.destination import SENT, Batch, Limits, Outcome, Pace, Refused, Target, WebDestination
from catchment.errors import CredentialsError, DefinitionError

LATER = (408, 425)
ELSEWHERE = (404, 405, 410)
ENVIRONMENT = Environment()
ENVIRONMENT.add_filter("json", lambda value: orjson.dumps(value).decode())


@cache
def _template(text: str) -> BoundTemplate:
    return ENVIRONMENT.from_string(text)


class _WebhookTarget(Target):
    path: str = Field(default="", description="Added to the url.")
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    per: Literal["batch", "row"] = Field(default="batch", description="One call for a batch, or for each row.")
    rows: int = Field(default=100, ge=1, description="Rows in a batch.")
    body: str | None = Field(default=None, description="Liquid over rows (or row), operation, sync, run_id, batch_id.")
    headers: dict[str, str] = Field(default={}, description="Liquid over the same; beside those of the destination.")

    @field_validator("body", "headers")
    @classmethod
    def _is_liquid(cls, value: Any) -> Any:
        for text in value.values() if isinstance(value, dict) else [value or ""]:
            try:
                _template(text)
            except LiquidError as error:
                raise ValueError(f"no Liquid: {error}") from error
        return value


class Webhook(WebDestination):
    """An HTTP endpoint of your own: signed calls, one for a batch or for each row, with a body of your making."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "update", "add", "remove", "snapshot", "event")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "archive", "clear")
    target_kind: ClassVar[type[Target]] = _WebhookTarget
    pace: ClassVar[Pace] = Pace(concurrent=4)
    can_forget: ClassVar[bool] = True

    url: str = Field(description="The address that is called.")
    secret: SecretStr | None = Field(
        default=None, description="Signs each call as Standard Webhooks says; whsec_ and base64, or any text."
    )
    headers: dict[str, SecretStr] = Field(default={}, description="Sent with each call, such as Authorization.")
    rejected: str = Field(
        default="rejected", description="The key of a JSON answer that lists bad rows: [{index, code, reason}]."
    )
    knows_ids: bool = Field(
        default=False, description="It takes a webhook-id that it has seen only once: inserts and events may go again."
    )

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Give the rows of one call."""
        target = self.target(sync, _WebhookTarget)
        return Limits(rows=1 if target.per == "row" else target.rows)

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Trust in the receiver for what must come only once."""
        return self.knows_ids or super().is_repeatable(sync, operation)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Call once; what the answer does not name as rejected is sent."""
        target = self.target(batch.sync, _WebhookTarget)
        try:
            body, headers = self._fill(batch, target)
        except LiquidError as error:
            raise Refused(f"target: the template cannot take it: {error}", code="template") from error
        url = f"{self.url}/{target.path.lstrip('/')}" if target.path else self.url
        signed = {**headers, **self._sign(batch.id, body)}
        response = caller.request(target.method, url, again=_is_later, content=body, headers=signed)
        if response.is_success:
            return self._outcomes(response, len(batch.rows))
        self._require_welcome(response)
        if response.status_code in ELSEWHERE:
            raise DefinitionError(
                f"{batch.sync.file}: target: {target.method} {url} answers {response.status_code}.",
                hint=f"Mend target.path or target.method, or {self.place}.url.",
            )
        if response.status_code < 400:
            raise self.unexpected(response)
        raise Refused(response.text[:500] or response.reason_phrase, code=str(response.status_code))

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Tell the receiver to forget: operation is `forget`."""
        return self.send(batch._replace(operation="forget"), caller)

    def ask(self, caller: Caller) -> None:
        """Ask for nothing but a head, signed; any answer but a refusal will do."""
        self._require_welcome(caller.request("HEAD", self.url, headers={**self._own(), **self._sign("check", b"")}))

    def _fill(self, batch: Batch, target: _WebhookTarget) -> tuple[bytes, dict[str, str]]:
        told: dict[str, Any] = {"operation": batch.operation, "sync": batch.sync.name, "rows": batch.rows}
        if target.per == "row":
            told["row"] = told.pop("rows")[0]
        known = {**told, "run_id": batch.run_id, "batch_id": batch.id}
        headers = {name: _template(text).render(**known) for name, text in target.headers.items()}
        body = orjson.dumps(told) if target.body is None else _template(target.body).render(**known).encode()
        return body, {"Content-Type": "application/json", **self._own(), **headers, "Idempotency-Key": batch.id}

    def _own(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self.headers.items()}

    def _sign(self, name: str, body: bytes) -> dict[str, str]:
        """Sign a call as Standard Webhooks says; the same batch keeps its id."""
        if self.secret is None:
            return {"webhook-id": name}
        text = self.secret.get_secret_value()
        key = b64decode(text.removeprefix("whsec_")) if text.startswith("whsec_") else text.encode()
        moment = str(int(time.time()))
        digest = hmac.digest(key, b".".join((name.encode(), moment.encode(), body)), sha256)
        signature = f"v1,{b64encode(digest).decode()}"
        return {"webhook-id": name, "webhook-timestamp": moment, "webhook-signature": signature}

    def _require_welcome(self, response: httpx.Response) -> None:
        if response.status_code not in (401, 403):
            return
        if self.secret is not None:
            raise self.refused_key("secret", f"it answers {response.status_code}")
        message = f"{self.title} at {self.address} refused {self.place}: it answers {response.status_code}."
        raise CredentialsError(message, hint=f"Set {self.place}.secret, or its Authorization under headers.")

    def _outcomes(self, response: httpx.Response, count: int) -> list[Outcome]:
        """Read which rows the receiver names as bad, where its answer is JSON and names any."""
        try:
            body = response.json()
        except ValueError:
            body = None
        faults = body.get(self.rejected) if isinstance(body, dict) else None
        outcomes = [SENT] * count
        for fault in faults if isinstance(faults, list) else []:
            index = fault.get("index") if isinstance(fault, dict) else None
            if not isinstance(index, int) or not 0 <= index < count:
                raise Refused(f"{self.rejected}: {fault}", code=str(response.status_code))
            outcomes[index] = Outcome("rejected", str(fault.get("code", "rejected")), str(fault.get("reason")))
        return outcomes


def _is_later(response: httpx.Response) -> bool:
    return response.status_code in LATER
