"""Salesforce, through the upsert of record collections by an external id."""

import re
from typing import Any, ClassVar

import httpx
import polars as pl
from pydantic import Field, PrivateAttr, SecretStr

from catchment.activate.caller import Caller, Unanswered, read_json, read_object
from catchment.activate.definition import Sync
from catchment.activate.destination import LEFT_OUT, SENT, Batch, Limits, Outcome, Target, WebDestination, missing
from catchment.errors import DefinitionError

REQUIRED = {"Lead": ["LastName", "Company"], "Contact": ["LastName"], "Account": ["Name"]}
LATER = {"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "ROW_LOCK_ERROR", "UNKNOWN_EXCEPTION"}
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class _SalesforceTarget(Target):
    object: str = Field(default="Lead", pattern=NAME.pattern)
    member_field: str | None = Field(default=None, description="A checkbox: true for members, false once they leave.")


class Salesforce(WebDestination):
    """Salesforce records, one per person, matched by an external id field of yours."""

    batch_limits: ClassVar[Limits] = Limits(rows=200)
    target_kind: ClassVar[type[Target]] = _SalesforceTarget

    client_id: str = Field(description="Consumer key of a connected app with the client credentials flow.")
    client_secret: SecretStr = Field(description="Its consumer secret.")
    version: str = Field(default="v62.0", pattern=r"^v\d+\.0$", description="Version of the REST API.")
    _session: dict[str, str] = PrivateAttr(default_factory=dict)

    def accept(self, sync: Sync) -> None:
        """Agree to syncs with one external id field, and with a field that can say who has left."""
        super().accept(sync)
        if len(sync.identifiers) != 1 or not NAME.fullmatch(next(iter(sync.identifiers))):
            raise DefinitionError(
                f"{sync.file}: identifiers: Salesforce takes one external id field.",
                hint="For example `identifiers: {Catchment_Id__c: person_id}`.",
            )
        if sync.mode == "mirror" and self.target(sync, _SalesforceTarget).member_field is None:
            raise DefinitionError(
                f"{sync.file}: target.member_field: mode mirror needs a checkbox that says who is a member.",
                hint="Make a checkbox such as In_Audience__c on the object and name it, or set `mode: upsert`.",
            )

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Leave out records that lack what Salesforce requires of a new one; mark members."""
        target = self.target(sync, _SalesforceTarget)
        needed = [*sync.identifiers, *REQUIRED.get(target.object, [])]
        for name in set(needed) - set(rows.columns):
            raise DefinitionError(
                f"{sync.file}: fields: Salesforce requires {name} of every {target.object}.", hint=f"Map {name}."
            )
        shaped = rows.with_columns(missing(all_of=needed).alias(LEFT_OUT))
        return shaped if target.member_field is None else shaped.with_columns(pl.lit(True).alias(target.member_field))

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Upsert records; Salesforce answers for each, in order."""
        target = self.target(batch.sync, _SalesforceTarget)
        id_field = next(iter(batch.sync.identifiers))
        kind = {"attributes": {"type": target.object}}
        if batch.operation == "remove":
            records = [{**kind, id_field: row[id_field], str(target.member_field): False} for row in batch.rows]
        else:
            records = [{**kind, **row} for row in batch.rows]
        path = f"services/data/{self.version}/composite/sobjects/{target.object}/{id_field}"
        response = self._patch(path, {"allOrNone": False, "records": records}, caller)
        body = read_json(response)
        if response.status_code != 200:
            raise self._failure(response, body, f"{batch.sync.file}: {target.object} by {id_field}")
        return [_outcome(result) for result in body]

    def ask(self, caller: Caller) -> None:
        """Ask for a session."""
        self._sign_in(caller)

    def _sign_in(self, caller: Caller) -> None:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
        }
        response = caller.request("POST", f"{self.url}/services/oauth2/token", data=form)
        if response.status_code not in (200, 400, 401, 403):
            raise self.unexpected(response)
        body = read_object(response)
        if response.status_code != 200:
            raise self.refused_key("client_secret", f"{body.get('error')}: {body.get('error_description')}")
        self._session.update(token=body["access_token"], url=body["instance_url"].rstrip("/"))

    def _patch(self, path: str, body: Any, caller: Caller) -> httpx.Response:
        """Call with the session at hand; one that has run out is renewed, once."""
        for is_last in (False, True):
            if not self._session:
                self._sign_in(caller)
            headers = {"Authorization": f"Bearer {self._session['token']}"}
            response = caller.request("PATCH", f"{self._session['url']}/{path}", json=body, headers=headers)
            if response.status_code != 401:
                return response
            self._session.clear()
            if is_last:
                break
        raise self.refused_key("client_id", "it gives sessions that the API does not take")

    def _failure(self, response: httpx.Response, body: Any, place: str) -> Exception:
        first = body[0] if isinstance(body, list) and body and isinstance(body[0], dict) else {}
        code, message = str(first.get("errorCode", response.status_code)), str(first.get("message", ""))
        if code in LATER:
            return Unanswered(f"Salesforce: {code}: {message}", code=code)
        if response.status_code == 403:
            return self.refused_key("client_id", f"{code}: {message}")
        if response.status_code in (400, 404):
            return DefinitionError(
                f"{place}: Salesforce refused the request: {code}: {message}",
                hint="Check that the object and its external id field stand in Setup > Object Manager.",
            )
        return self.unexpected(response)


def _outcome(result: dict[str, Any]) -> Outcome:
    if result.get("success"):
        return SENT
    error = (result.get("errors") or [{}])[0]
    code = error.get("statusCode")
    fields = ", ".join(error.get("fields") or []) or None
    return Outcome("retry" if code in LATER else "rejected", code, error.get("message"), fields)
