"""Salesforce, through the upsert of records by an external id: in collections, or many at once as bulk jobs."""

import re
from typing import Any, ClassVar

import httpx
import polars as pl
from pydantic import Field, PrivateAttr, SecretStr

from catchment.activate.batch import Operation, Payload
from catchment.activate.bulk_job import ENDED, RESULTS, judge, read_verdicts, write_records
from catchment.activate.caller import Caller, Unanswered, read_json, read_object
from catchment.activate.definition import Sync
from catchment.activate.destination import LEFT_OUT, SENT, Batch, Job, Limits, Outcome, Target, WebDestination, missing
from catchment.errors import DefinitionError

REQUIRED = {"Lead": ["LastName", "Company"], "Contact": ["LastName"], "Account": ["Name"]}
LATER = {"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE", "ROW_LOCK_ERROR", "UNKNOWN_EXCEPTION"}
BULK = Limits(rows=150_000, size_bytes=80_000_000)
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
    bulk_from: int = Field(default=2_000, ge=1, description="A run with more rows goes as jobs of the Bulk API 2.0.")
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

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Give collections for few rows, and jobs of under 100 MB for many."""
        return BULK if count > self.bulk_from else self.batch_limits

    def send(self, batch: Batch, caller: Caller) -> list[Outcome] | Job:
        """Upsert records; Salesforce answers for each, in order, or once the job is done."""
        target = self.target(batch.sync, _SalesforceTarget)
        id_field = next(iter(batch.sync.identifiers))
        records = batch.rows
        if batch.operation == "remove":
            records = [{id_field: row[id_field], str(target.member_field): False} for row in batch.rows]
        if batch.total > self.bulk_from:
            return self._submit(batch, records, caller)
        records = [{"attributes": {"type": target.object}, **record} for record in records]
        path = f"composite/sobjects/{target.object}/{id_field}"
        body = self._ask_for("PATCH", path, batch.sync, caller, json={"allOrNone": False, "records": records})
        return [_outcome(result) for result in read_json(body)]

    def poll(self, job: Job, batch: Batch, caller: Caller) -> list[Outcome] | None:
        """Ask what became of a job; its three result files say it of each record."""
        path = f"jobs/ingest/{job.id}"
        told = read_object(self._ask_for("GET", path, batch.sync, caller))
        if told.get("state") not in ENDED:
            return None
        if str(told.get("errorMessage") or "").startswith("InvalidBatch"):
            raise DefinitionError(
                f"{batch.sync.file}: Salesforce: {told['errorMessage']}", hint="Mend the field names."
            )
        id_field = next(iter(batch.sync.identifiers))
        texts = {name: self._ask_for("GET", f"{path}/{name}", batch.sync, caller).text for name in RESULTS}
        files = {name: read_verdicts(text, id_field) for name, text in texts.items()}
        return [judge(str(row[id_field]), told, files, LATER) for row in batch.rows]

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

    def _submit(self, batch: Batch, records: list[Payload], caller: Caller) -> Job:
        """Open a job, load it and close it; one that is not closed does nothing."""
        about = {
            "object": self.target(batch.sync, _SalesforceTarget).object,
            "externalIdFieldName": next(iter(batch.sync.identifiers)),
            "operation": "upsert",
            "contentType": "CSV",
            "lineEnding": "LF",
        }
        job_id = str(read_object(self._ask_for("POST", "jobs/ingest", batch.sync, caller, json=about))["id"])
        path = f"jobs/ingest/{job_id}"
        kind = {"Content-Type": "text/csv; charset=UTF-8"}
        self._ask_for("PUT", f"{path}/batches", batch.sync, caller, content=write_records(records), headers=kind)
        self._ask_for("PATCH", path, batch.sync, caller, json={"state": "UploadComplete"})
        return Job(job_id)

    def _ask_for(self, method: str, path: str, sync: Sync, caller: Caller, **parts: Any) -> httpx.Response:
        """Call with the session at hand; one that has run out is renewed, once."""
        own = parts.pop("headers", {})
        for _ in range(2):
            if not self._session:
                self._sign_in(caller)
            headers = {"Authorization": f"Bearer {self._session['token']}", **own}
            url = f"{self._session['url']}/services/data/{self.version}/{path}"
            response = caller.request(method, url, headers=headers, **parts)
            if response.is_success:
                return response
            if response.status_code != 401:
                target = self.target(sync, _SalesforceTarget)
                place = f"{sync.file}: {target.object} by {next(iter(sync.identifiers))}"
                raise self._failure(response, read_json(response), place)
            self._session.clear()
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
