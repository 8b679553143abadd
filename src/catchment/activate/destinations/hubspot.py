"""HubSpot contacts and lists, through the batch endpoints of the CRM API v3."""

from typing import Any, ClassVar

import httpx
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Leave, Mode, Sync
from catchment.activate.destination import SENT, Batch, Limits, Outcome, Pace, Payload, Refused, Target, WebDestination
from catchment.errors import DefinitionError

CONTACTS = "crm/v3/objects/contacts"
DAY_S = 86_400.0


class _HubspotTarget(Target):
    list_id: str | None = Field(
        default=None, pattern=r"^\d+$", description="A manual or snapshot list that people are put on and taken off."
    )


class Hubspot(WebDestination):
    """HubSpot contacts by e-mail address or by a property of yours with unique values, and a list they are on."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "remove", "update")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "archive")
    target_kind: ClassVar[type[Target]] = _HubspotTarget
    batch_limits: ClassVar[Limits] = Limits(rows=100)
    pace: ClassVar[Pace] = Pace(requests=100, per_s=10, concurrent=4)
    can_forget: ClassVar[bool] = True
    can_read: ClassVar[bool] = True

    url: str = Field(default="https://api.hubapi.com", description="The address of HubSpot's API.")
    access_token: SecretStr = Field(
        description="Of a private app with crm.objects.contacts.read, .write and crm.lists.write."
    )

    def accept(self, sync: Sync) -> None:
        """Agree to one identifier, and to a list where people are to be put on or taken off."""
        super().accept(sync)
        if len(sync.identifiers) != 1:
            raise DefinitionError(
                f"{sync.file}: identifiers: HubSpot finds a contact by one property.",
                hint="Use `email`, or one property with unique values.",
            )
        is_list_only = sync.mode in ("add", "remove") or (sync.mode == "mirror" and sync.on_leave == "remove")
        if is_list_only and self.target(sync, _HubspotTarget).list_id is None:
            raise DefinitionError(
                f"{sync.file}: target.list_id: mode {sync.mode} needs the list that people are on.",
                hint="Name a manual list, or set `mode: upsert`, or `on_leave: archive`.",
            )

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Write addresses as HubSpot keeps them, so that one in other letters is the same."""
        shaped = super().shape(rows, sync)
        return shaped.with_columns(pl.col("email").str.to_lowercase()) if "email" in sync.identifiers else shaped

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Write contacts and put them on the list, or take out by the ids that HubSpot knows them under."""
        members = f"crm/v3/lists/{self.target(batch.sync, _HubspotTarget).list_id}/memberships"
        if batch.operation in ("remove", "archive"):
            gone = [held["id"] for held in self._find(batch, caller, []).values()]
            if gone and batch.operation == "archive":
                self._call("POST", f"{CONTACTS}/batch/archive", caller, {"inputs": [{"id": one} for one in gone]})
            elif gone:
                self._call("PUT", f"{members}/remove", caller, gone)
            return [SENT] * len(batch.rows)
        outcomes, ids = self._write(batch, caller)
        if "list_id" not in batch.sync.target or not ids:
            return outcomes
        body = read_object(self._call("PUT", f"{members}/add", caller, list(ids.values())))
        lost = {str(one) for one in body.get("recordIdsMissing") or []}
        later = Outcome("retry", "recordIdsMissing", "the list does not find the contact yet")
        return [later if ids.get(number) in lost else one for number, one in enumerate(outcomes)]

    def read(self, batch: Batch, caller: Caller) -> list[Payload]:
        """Give the properties that a sync may only fill."""
        found = self._find(batch, caller, list(batch.sync.fields))
        return [found[number]["properties"] if number in found else {} for number in range(len(batch.rows))]

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete contacts and all that belongs to them; who is not there is gone."""
        for held in self._find(batch, caller, []).values():
            self._call("POST", f"{CONTACTS}/gdpr-delete", caller, {"objectId": held["id"]})
        return [SENT] * len(batch.rows)

    def ask(self, caller: Caller) -> None:
        """Ask for one contact."""
        self._call("GET", f"{CONTACTS}?limit=1", caller, None)

    def wait_s(self, response: httpx.Response) -> float | None:
        """Wait for the end of the interval once its budget is spent; for tomorrow where the day's is."""
        if response.status_code == 429 and '"DAILY"' in response.text:
            return DAY_S
        if response.status_code != 429 and response.headers.get("x-hubspot-ratelimit-remaining") != "0":
            return None
        return float(response.headers.get("x-hubspot-ratelimit-interval-milliseconds", 10_000)) / 1_000

    def _write(self, batch: Batch, caller: Caller) -> tuple[list[Outcome], dict[int, str]]:
        """Upsert or update, and give the outcomes and the ids of those that went well, by their number."""
        name = next(iter(batch.sync.identifiers))
        inputs = [
            {"idProperty": name, "id": str(row[name]), "objectWriteTraceId": str(number), "properties": told}
            for number, (row, told) in enumerate(zip(batch.rows, map(_clearing, batch.rows), strict=True))
        ]
        verb = "update" if batch.operation == "update" else "upsert"
        body = read_object(self._call("POST", f"{CONTACTS}/batch/{verb}", caller, {"inputs": inputs}))
        numbers = {one["id"]: number for number, one in enumerate(inputs)}
        outcomes = [Outcome("unknown", "unsaid", "HubSpot answered without a word about it")] * len(inputs)
        ids: dict[int, str] = {}
        for result in body.get("results") or []:
            traced = result.get("objectWriteTraceId") or numbers.get(str(result["properties"].get(name)), -1)
            if 0 <= int(traced) < len(inputs):
                ids[int(traced)], outcomes[int(traced)] = str(result["id"]), SENT
        for error in body.get("errors") or []:
            context = error.get("context") or {}
            traces = [int(one) for one in context.get("objectWriteTraceId") or []]
            for number in traces or [numbers[one] for one in context.get("ids") or [] if one in numbers]:
                outcomes[number] = Outcome("rejected", error.get("category"), error.get("message"))
        return outcomes, ids

    def _find(self, batch: Batch, caller: Caller, properties: list[str]) -> dict[int, dict[str, Any]]:
        """Give the contacts that are there, by the number of their row."""
        name = next(iter(batch.sync.identifiers))
        numbers = {str(row[name]): number for number, row in enumerate(batch.rows)}
        asked = {"idProperty": name, "properties": [name, *properties], "inputs": [{"id": one} for one in numbers]}
        response = self._call("POST", f"{CONTACTS}/batch/read", caller, asked)
        results = read_object(response).get("results")
        if not isinstance(results, list):
            raise self.unexpected(response)
        found = {str(one["properties"].get(name)): one for one in results}
        return {number: found[key] for key, number in numbers.items() if key in found}

    def _call(self, method: str, path: str, caller: Caller, content: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.access_token.get_secret_value()}"}
        response = caller.request(method, f"{self.url}/{path}", again=_is_locked, json=content, headers=headers)
        if response.status_code in (200, 201, 204, 207):
            return response
        body = read_json(response)
        said = str(body.get("message", body)) if isinstance(body, dict) else str(body)
        if response.status_code in (401, 403):
            raise self.refused_key("access_token", said)
        if response.status_code == 404 or "PROPERTY_DOESNT_EXIST" in said:
            hint = "Check target.list_id and the names of identifiers and fields: they are HubSpot's internal names."
            raise DefinitionError(f"{self.place}: HubSpot refused the request: {said}", hint=hint)
        if response.status_code in (400, 409, 413):
            raise Refused(said, code=str(response.status_code))
        raise self.unexpected(response)


def _is_locked(response: httpx.Response) -> bool:
    return response.status_code == 423


def _clearing(row: Payload) -> Payload:
    """Write what is to be cleared as HubSpot does: as empty text."""
    return {name: "" if value is None else value for name, value in row.items()}
