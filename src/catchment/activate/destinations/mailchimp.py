"""Mailchimp members, each by the MD5 of the address: a request may come twice, and its status counts once."""

from hashlib import md5
from typing import Any, ClassVar, Literal

import httpx
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Leave, Mode, Sync
from catchment.activate.destination import SENT, Batch, Limits, Outcome, Pace, Payload, Target, WebDestination
from catchment.errors import DefinitionError

GONE_BY_CHOICE = ("unsubscribed", "cleaned")


class _MailchimpTarget(Target):
    list_id: str = Field(pattern=r"^\w+$", description="The id of the audience, which its settings show.")
    tag: str | None = Field(default=None, description="A tag for members; `on_leave: remove` takes it off.")
    status: Literal["subscribed", "pending", "transactional", "unsubscribed"] = Field(
        default="subscribed", description="Of whom is new there; pending asks for their consent by e-mail first."
    )


class Mailchimp(WebDestination):
    """Members of a Mailchimp audience with merge fields and a tag; whoever unsubscribed stays so."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "update")
    leaves: ClassVar[tuple[Leave, ...]] = ("archive", "remove")
    identifiers: ClassVar[tuple[str, ...]] = ("email_address",)
    target_kind: ClassVar[type[Target]] = _MailchimpTarget
    batch_limits: ClassVar[Limits] = Limits(rows=1)
    pace: ClassVar[Pace] = Pace(concurrent=10)
    can_forget: ClassVar[bool] = True

    url: str = Field(description="Its API in your data centre: https://us6.api.mailchimp.com for a key ending in us6.")
    api_key: SecretStr = Field(description="An API key.")

    def accept(self, sync: Sync) -> None:
        """Agree to take a tag off where there is one."""
        super().accept(sync)
        if sync.mode == "mirror" and sync.on_leave == "remove" and self.target(sync, _MailchimpTarget).tag is None:
            message = f"{sync.file}: on_leave: Mailchimp takes the tag off whoever leaves, and target.tag names none."
            raise DefinitionError(message, hint="Name a tag, or set `on_leave: archive`.")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Write addresses as Mailchimp compares them, so that one in other letters is the same."""
        return super().shape(rows, sync).with_columns(pl.col("email_address").str.to_lowercase())

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Put each member on the audience or take it off, one by one: Mailchimp answers each for itself."""
        target = self.target(batch.sync, _MailchimpTarget)
        return [self._send(row, target, batch.operation, caller) for row in batch.rows]

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete members for good; Mailchimp never takes them again by API."""
        target = self.target(batch.sync, _MailchimpTarget)
        paths = [f"{_member(row, target)}/actions/delete-permanent" for row in batch.rows]
        return [self._outcome(self._call("POST", path, caller, None), may_lack=True) for path in paths]

    def ask(self, caller: Caller) -> None:
        """Ask whether it is well."""
        response = self._call("GET", "ping", caller, None)
        if response.status_code != 200:
            raise self.unexpected(response)

    def _send(self, row: Payload, target: _MailchimpTarget, operation: str, caller: Caller) -> Outcome:
        member = _member(row, target)
        if operation == "archive":
            return self._archive(member, caller)
        if operation == "remove":
            return self._tag(target, member, caller, status="inactive")
        fields = {name: "" if value is None else value for name, value in row.items() if name != "email_address"}
        told = {"email_address": row["email_address"], "merge_fields": fields}
        if operation == "update":
            return self._outcome(self._call("PATCH", member, caller, told))
        response = self._call(
            "PUT", f"{member}?skip_merge_validation=true", caller, {**told, "status_if_new": target.status}
        )
        outcome = self._outcome(response)
        if outcome == SENT and read_object(response).get("status") == "archived":
            outcome = self._outcome(self._call("PATCH", member, caller, {"status": target.status}))
        if outcome != SENT or target.tag is None:
            return outcome
        return self._tag(target, member, caller, status="active")

    def _archive(self, member: str, caller: Caller) -> Outcome:
        """Archive a member, but leave whoever unsubscribed: an archive would forget it, should they come back."""
        held = self._call("GET", f"{member}?fields=status", caller, None)
        if held.status_code == 200 and read_object(held).get("status") in GONE_BY_CHOICE:
            return SENT
        return self._outcome(self._call("DELETE", member, caller, None), may_lack=True)

    def _tag(self, target: _MailchimpTarget, member: str, caller: Caller, *, status: str) -> Outcome:
        tags = {"tags": [{"name": target.tag, "status": status}]}
        return self._outcome(self._call("POST", f"{member}/tags", caller, tags), may_lack=status == "inactive")

    def _outcome(self, response: httpx.Response, *, may_lack: bool = False) -> Outcome:
        """Read what became of one member; `may_lack`: whoever is not there need not be taken out."""
        if response.status_code in (200, 204) or (may_lack and response.status_code in (404, 405)):
            return SENT
        body = read_object(response)
        title, detail = str(body.get("title")), str(body.get("detail"))
        if response.status_code == 404:
            hint = "Check target.list_id: its settings call it the audience id."
            raise DefinitionError(f"{self.place}: Mailchimp refused the request: {title}: {detail}", hint=hint)
        fields = [error for error in body.get("errors") or [] if isinstance(error, dict)]
        told = "; ".join(str(error.get("message")) for error in fields)
        named = ", ".join(str(error.get("field")) for error in fields) or None
        return Outcome("rejected", title, f"{detail} {told}".strip(), named)

    def _call(self, method: str, path: str, caller: Caller, content: Any) -> httpx.Response:
        auth = ("catchment", self.api_key.get_secret_value())
        response = caller.request(method, f"{self.url}/3.0/{path}", json=content, auth=auth)
        if response.status_code in (200, 204, 400, 404, 405):
            return response
        body = read_json(response)
        if response.status_code in (401, 403):
            said = f"{body.get('title')}: {body.get('detail')}" if isinstance(body, dict) else str(body)
            raise self.refused_key("api_key", said)
        raise self.unexpected(response)


def _member(row: Payload, target: _MailchimpTarget) -> str:
    known_as = md5(str(row["email_address"]).lower().encode(), usedforsecurity=False).hexdigest()
    return f"lists/{target.list_id}/members/{known_as}"
