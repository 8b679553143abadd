"""Klaviyo profiles and lists: profiles go in by bulk import jobs, and are taken off lists by their ids."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
import orjson
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import (
    SENT,
    Batch,
    Job,
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

JSON_API = "application/vnd.api+json"
OWN = {
    *("email", "phone_number", "external_id", "first_name", "last_name"),
    *("organization", "locale", "title", "image", "location", "properties"),
}
"""The attributes of a profile that Klaviyo has itself; every other field is one of its custom properties."""
ASKED_AT_ONCE = 100


class _KlaviyoTarget(Target):
    list_id: str | None = Field(
        default=None, pattern=r"^\w+$", description="The list that people are put on. It says nothing of consent."
    )


class Klaviyo(WebDestination):
    """Klaviyo profiles by e-mail address, phone number or your own id, and a list they are on."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "remove")
    identifiers: ClassVar[tuple[str, ...]] = ("email", "external_id", "phone_number")
    target_kind: ClassVar[type[Target]] = _KlaviyoTarget
    batch_limits: ClassVar[Limits] = Limits(rows=10_000, size_bytes=4_000_000, row_bytes=100_000)
    pace: ClassVar[Pace] = Pace(requests=10, per_s=4)
    can_forget: ClassVar[bool] = True

    url: str = Field(default="https://a.klaviyo.com", description="The address of Klaviyo's API.")
    api_key: SecretStr = Field(description="A private key with profiles, lists:write and data-privacy:write.")
    revision: str = Field(default="2026-07-15", pattern=r"^\d{4}-\d\d-\d\d$", description="Revision of the API.")

    def accept(self, sync: Sync) -> None:
        """Agree to a list where people are to be put on or taken off."""
        super().accept(sync)
        if sync.mode != "upsert" and self.target(sync, _KlaviyoTarget).list_id is None:
            raise DefinitionError(
                f"{sync.file}: target.list_id: mode {sync.mode} needs the list that people are on.",
                hint="Name the id of a list, or set `mode: upsert`.",
            )

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Write addresses as Klaviyo keeps them, so that one in other letters is the same."""
        shaped = super().shape(rows, sync)
        return shaped.with_columns(pl.col("email").str.to_lowercase()) if "email" in sync.identifiers else shaped

    def limits(self, sync: Sync, operation: Operation, count: int) -> Limits:
        """Import as many as a job takes; ask about as many as a question takes."""
        return self.batch_limits if operation == "upsert" else Limits(rows=ASKED_AT_ONCE)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome] | Job:
        """Hand an import over, which Klaviyo does later, or take off the list whom it knows."""
        list_id = self.target(batch.sync, _KlaviyoTarget).list_id
        if batch.operation == "remove":
            members = [{"type": "profile", "id": one} for one in self._find(batch, caller)]
            if members:
                self._call("DELETE", f"lists/{list_id}/relationships/profiles", caller, {"data": members})
            return [SENT] * len(batch.rows)
        profiles = [{"type": "profile", "attributes": _attributes(row)} for row in batch.rows]
        job: dict[str, Any] = {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": profiles}}}
        if list_id is not None:
            job["relationships"] = {"lists": {"data": [{"type": "list", "id": list_id}]}}
        response = self._call("POST", "profile-bulk-import-jobs", caller, {"data": job})
        return Job(str(read_object(response)["data"]["id"]))

    def poll(self, job: Job, batch: Batch, caller: Caller) -> list[Outcome] | None:
        """Ask about an import, and once it is complete for the rows that failed."""
        told = read_object(self._call("GET", f"profile-bulk-import-jobs/{job.id}", caller, None))["data"]["attributes"]
        if told["status"] == "cancelled":
            return [Outcome("retry", "cancelled", f"Klaviyo cancelled the import {job.id}")] * len(batch.rows)
        if told["status"] != "complete":
            return None
        known = {(name, str(row[name])): number for number, row in enumerate(batch.rows)
                 for name in batch.sync.identifiers if row.get(name) is not None}  # fmt: skip
        bad: dict[int, Outcome] = {}
        for error in self._errors(job, caller) if told.get("failed_count") else []:
            payload = error.get("original_payload") or {}
            named = [known[key] for key in ((name, str(payload.get(name))) for name in OWN) if key in known]
            pointer = str((error.get("source") or {}).get("pointer") or "")
            field = pointer.rpartition("/attributes/")[2] or None
            bad |= {number: Outcome("rejected", error["code"], error["detail"], field) for number in named}
        unnamed = Outcome("unknown", "unnamed", "Klaviyo counts a row as failed without saying which")
        rest = SENT if len(bad) >= int(told.get("failed_count") or 0) else unnamed
        return [bad.get(number, rest) for number in range(len(batch.rows))]

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Have profiles deleted under the data protection laws; who is not there is gone."""
        for one in self._find(batch, caller):
            profile = {"data": {"type": "profile", "id": one}}
            job = {"type": "data-privacy-deletion-job", "attributes": {"profile": profile}}
            self._call("POST", "data-privacy-deletion-jobs", caller, {"data": job})
        return [SENT] * len(batch.rows)

    def ask(self, caller: Caller) -> None:
        """Ask for one profile."""
        self._call("GET", "profiles?page[size]=1", caller, None)

    def _find(self, batch: Batch, caller: Caller) -> list[str]:
        """Give the ids of the profiles that are there."""
        ids = []
        for name in batch.sync.identifiers:
            values = [str(row[name]) for row in batch.rows if row.get(name) is not None]
            for first in range(0, len(values), ASKED_AT_ONCE):
                asked = f"any({name},{orjson.dumps(values[first : first + ASKED_AT_ONCE]).decode()})"
                query = str(httpx.QueryParams({"filter": asked, "page[size]": ASKED_AT_ONCE}))
                found = read_object(self._call("GET", f"profiles?{query}", caller, None))["data"]
                ids += [str(one["id"]) for one in found]
        return list(dict.fromkeys(ids))

    def _errors(self, job: Job, caller: Caller) -> list[dict[str, Any]]:
        errors, query = [], "page[size]=100"
        while query:
            path = f"profile-bulk-import-jobs/{job.id}/import-errors?{query}"
            page = read_object(self._call("GET", path, caller, None))
            errors += [one["attributes"] for one in page["data"]]
            query = urlsplit((page.get("links") or {}).get("next") or "").query
        return errors

    def _call(self, method: str, path: str, caller: Caller, content: Any) -> httpx.Response:
        key = f"Klaviyo-API-Key {self.api_key.get_secret_value()}"
        headers = {"Authorization": key, "revision": self.revision, "Accept": JSON_API, "Content-Type": JSON_API}
        response = caller.request(method, f"{self.url}/api/{path}", json=content, headers=headers)
        if response.status_code in (200, 201, 202, 204):
            return response
        error = _first_error(read_json(response))
        said = f"{error.get('detail') or error.get('title')} {(error.get('source') or {}).get('pointer', '')}".strip()
        if response.status_code in (401, 403):
            raise self.refused_key("api_key", said)
        if response.status_code == 404:
            raise DefinitionError(
                f"{self.place}: Klaviyo refused the request: {said}", hint="Check target.list_id: the id, not the name."
            )
        if response.status_code in (400, 409, 413):
            raise Refused(said, code=str(error.get("code")))
        raise self.unexpected(response)


def _first_error(body: Any) -> dict[str, Any]:
    errors = body.get("errors") if isinstance(body, dict) else None
    return errors[0] if isinstance(errors, list) and errors else {}


def _attributes(row: Payload) -> Payload:
    """Part what Klaviyo knows of a profile from what it calls custom properties."""
    custom = {name: value for name, value in row.items() if name not in OWN}
    own = {name: value for name, value in row.items() if name in OWN}
    return {**own, "properties": {**(own.get("properties") or {}), **custom}} if custom else own
