"""Iterable users, lists and events, through its bulk endpoints."""

from datetime import datetime
from hashlib import sha256
from typing import Any, ClassVar

import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import (
    SENT,
    Batch,
    Limits,
    Operation,
    Outcome,
    Pace,
    Payload,
    Refused,
    Target,
    WebDestination,
)
from catchment.errors import DefinitionError

WHO = ("email", "userId")
LATER = {"validEmailFailures", "validUserIdFailures"}
"""Users that are valid and whose update failed inside Iterable."""
NOT_THERE = {"notFoundEmails", "notFoundUserIds", "forgottenEmails", "forgottenUserIds"}


class _IterableTarget(Target):
    list_id: int | None = Field(default=None, ge=1, description="The static list that people are on.")
    event: str | None = Field(default=None, description="The name of the events that mode event sends.")


class Iterable(WebDestination):
    """Iterable users by e-mail address or user id, a list they are on, or events of theirs."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "remove", "event")
    identifiers: ClassVar[tuple[str, ...]] = WHO
    target_kind: ClassVar[type[Target]] = _IterableTarget
    batch_limits: ClassVar[Limits] = Limits(rows=1_000, size_bytes=3_500_000)
    pace: ClassVar[Pace] = Pace(requests=5, concurrent=2)
    can_forget: ClassVar[bool] = True

    url: str = Field(default="https://api.iterable.com", description="Its API; of the EU, https://api.eu.iterable.com.")
    api_key: SecretStr = Field(description="A server-side API key.")

    def accept(self, sync: Sync) -> None:
        """Agree to lists and events that have a name."""
        super().accept(sync)
        target = self.target(sync, _IterableTarget)
        if sync.mode == "event" and target.event is None:
            message = f"{sync.file}: target.event: mode event needs the name of the event."
            raise DefinitionError(message, hint="For example `target: {event: became_prospect}`.")
        if sync.mode in ("mirror", "add", "remove") and target.list_id is None:
            message = f"{sync.file}: target.list_id: mode {sync.mode} needs the list that people are on."
            raise DefinitionError(message, hint="Name the number of a static list, or set `mode: upsert`.")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Write addresses as Iterable compares them, so that one in other letters is the same."""
        shaped = super().shape(rows, sync)
        return shaped.with_columns(pl.col("email").str.to_lowercase()) if "email" in sync.identifiers else shaped

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Events carry an id, by which Iterable replaces one that it has."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Update users, put them on a list or take them off, or tell of events; Iterable names those that failed."""
        target = self.target(batch.sync, _IterableTarget)
        if batch.operation == "event":
            events = [_event(row, key, batch, target.event) for row, key in zip(batch.rows, batch.keys, strict=True)]
            return self._bulk("events/trackBulk", {"events": events}, batch, caller)
        if batch.operation == "remove":
            body = {"listId": target.list_id, "subscribers": [_who(row) for row in batch.rows]}
            outcomes = self._bulk("lists/unsubscribe", body, batch, caller)
            return [SENT if outcome.code in NOT_THERE else outcome for outcome in outcomes]
        is_known_by_id = "userId" in batch.sync.identifiers
        users = [{**_who(row), "dataFields": _fields(row), "preferUserId": is_known_by_id} for row in batch.rows]
        if target.list_id is None:
            return self._bulk("users/bulkUpdate", {"users": users}, batch, caller)
        body = {"listId": target.list_id, "subscribers": users, "updateExistingUsersOnly": False}
        return self._bulk("lists/subscribe", body, batch, caller)

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Have users deleted for good and never taken again; one at a time, as Iterable asks."""
        for row in batch.rows:
            name, value = next(iter(_who(row).items()))
            self._call("POST", "users/forget", {name: value}, caller)
        return [SENT] * len(batch.rows)

    def ask(self, caller: Caller) -> None:
        """Ask for the lists."""
        self._call("GET", "lists", None, caller)

    def _bulk(self, path: str, body: dict[str, Any], batch: Batch, caller: Caller) -> list[Outcome]:
        answer = self._call("POST", path, body, caller)
        known = {str(row[name]).lower(): number for number, row in enumerate(batch.rows)
                 for name in WHO if row.get(name) is not None}  # fmt: skip
        named = dict(answer.get("failedUpdates") or {})
        named |= {kind: answer[kind] for kind in ("invalidEmails", "invalidUserIds") if answer.get(kind)}
        outcomes: dict[int, Outcome] = {}
        for kind, values in named.items():
            status = "retry" if kind in LATER else "rejected"
            for number in [known[str(one).lower()] for one in values if str(one).lower() in known]:
                outcomes[number] = Outcome(status, kind, f"Iterable lists it under {kind}")  # type: ignore[arg-type]
        if "successCount" not in answer or len(outcomes) < int(answer.get("failCount") or 0):
            raise Refused(f"{answer.get('failCount')} failed, and Iterable does not name them", code="failCount")
        return [outcomes.get(number, SENT) for number in range(len(batch.rows))]

    def _call(self, method: str, path: str, content: Any, caller: Caller) -> dict[str, Any]:
        headers = {"Api-Key": self.api_key.get_secret_value()}
        response = caller.request(method, f"{self.url}/api/{path}", json=content, headers=headers)
        if response.status_code in (200, 202):
            return read_object(response)
        body = read_json(response)
        told = body if isinstance(body, dict) else {}
        code, said = str(told.get("code", response.status_code)), str(told.get("msg", body))
        if response.status_code in (401, 403):
            raise self.refused_key("api_key", f"{code}: {said}")
        if code in ("UnknownListError", "NotFound") or response.status_code == 404:
            hint = "Check target.list_id: the number of a static list of this project."
            raise DefinitionError(f"{self.place}: Iterable refused the request: {code}: {said}", hint=hint)
        if response.status_code in (400, 409, 413):
            raise Refused(said, code=code)
        raise self.unexpected(response)


def _who(row: Payload) -> Payload:
    return {name: str(row[name]) for name in WHO if row.get(name) is not None}


def _fields(row: Payload) -> Payload:
    return {name: value for name, value in row.items() if name not in WHO}


def _event(row: Payload, key: str, batch: Batch, name: str | None) -> Payload:
    """Word one row as an event whose id is the same for ever."""
    fields = _fields(row)
    moment = fields.pop("createdAt", None)
    at = {"createdAt": int(datetime.fromisoformat(moment).timestamp())} if moment else {}
    event_id = sha256(f"{batch.sync.name}\n{key}".encode()).hexdigest()[:32]
    return {**_who(row), "eventName": name, "id": event_id, **at, "dataFields": fields}
