"""Customer.io people and their events, through the batch of the Track API v2."""

from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar

import httpx
import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Leave, Mode, Sync
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
from catchment.errors import CatchmentError, DefinitionError

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BRACKETS = 200
"""Bytes that an item has beside its row."""


class _CustomerioTarget(Target):
    attribute: str | None = Field(
        default=None, description="True for members, false once they leave; by default audience_ and its name."
    )
    event: str | None = Field(default=None, description="The name of the events that mode event sends.")


class Customerio(WebDestination):
    """Customer.io people with an attribute that says who is in the audience, or events of theirs."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "event")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "clear")
    identifiers: ClassVar[tuple[str, ...]] = ("id", "email", "cio_id")
    target_kind: ClassVar[type[Target]] = _CustomerioTarget
    batch_limits: ClassVar[Limits] = Limits(rows=400, size_bytes=400_000, row_bytes=32_000 - BRACKETS)
    pace: ClassVar[Pace] = Pace(requests=100, concurrent=4)
    can_forget: ClassVar[bool] = True

    url: str = Field(default="https://track.customer.io", description="The Track API; of the EU, track-eu.customer.io.")
    site_id: str = Field(description="The site id of Track API credentials.")
    api_key: SecretStr = Field(description="The API key that belongs to it.")

    def accept(self, sync: Sync) -> None:
        """Agree to one identifier, and to events that have a name."""
        super().accept(sync)
        if len(sync.identifiers) != 1:
            message = f"{sync.file}: identifiers: Customer.io takes one of id, email and cio_id."
            raise DefinitionError(message, hint="For example `identifiers: {id: person_id}`.")
        if sync.mode == "event" and self.target(sync, _CustomerioTarget).event is None:
            message = f"{sync.file}: target.event: mode event needs the name of the event."
            raise DefinitionError(message, hint="For example `target: {event: became_prospect}`.")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Say of each person that they are in the audience; an address in other letters is the same."""
        shaped = super().shape(rows, sync)
        if "email" in sync.identifiers:
            shaped = shaped.with_columns(pl.col("email").str.to_lowercase())
        return shaped if sync.mode == "event" else shaped.with_columns(pl.lit(True).alias(self._attribute(sync)))

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Events carry an id by which Customer.io takes them once."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Identify people or tell of events; Customer.io names bad items by their index."""
        items = [self._item(row, key, batch) for row, key in zip(batch.rows, batch.keys, strict=True)]
        return self._send(items, caller)

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete people; whoever is not there is gone."""
        return self._send([{**self._who(row, batch.sync), "action": "delete"} for row in batch.rows], caller)

    def ask(self, caller: Caller) -> None:
        """Ask in which region the account is."""
        self._call("GET", "v1/accounts/region", caller, None)

    def _item(self, row: Payload, key: str, batch: Batch) -> Payload:
        who, target = self._who(row, batch.sync), self.target(batch.sync, _CustomerioTarget)
        told = {name: "" if value is None else value for name, value in row.items() if name not in who["identifiers"]}
        if batch.operation == "remove":
            told = {self._attribute(batch.sync): False}
        if batch.operation != "event":
            return {**who, "action": "identify", "attributes": told}
        moment = told.pop("timestamp", None)
        at = {"timestamp": int(datetime.fromisoformat(moment).timestamp())} if moment else {}
        return {**who, "action": "event", "name": target.event, "id": _ulid(key, batch), **at, "attributes": told}

    def _who(self, row: Payload, sync: Sync) -> dict[str, Any]:
        (name,) = sync.identifiers
        return {"type": "person", "identifiers": {name: str(row[name])}}

    def _attribute(self, sync: Sync) -> str:
        return self.target(sync, _CustomerioTarget).attribute or f"audience_{sync.audience or sync.name}"

    def _send(self, items: list[Payload], caller: Caller) -> list[Outcome]:
        response = self._call("POST", "v2/batch", caller, {"batch": items})
        outcomes = [SENT] * len(items)
        for error in read_object(response).get("errors") or [] if response.status_code == 207 else []:
            index = error.get("batch_index")
            if not isinstance(index, int) or not 0 <= index < len(items):
                raise Refused(str(error), code="207")
            outcomes[index] = Outcome("rejected", error.get("reason"), error.get("message"), error.get("field"))
        return outcomes

    def _call(self, method: str, path: str, caller: Caller, content: Any) -> httpx.Response:
        auth = (self.site_id, self.api_key.get_secret_value())
        response = caller.request(method, f"{self.url}/api/{path}", json=content, auth=auth)
        if response.status_code in (200, 207):
            return response
        if response.status_code in (401, 403):
            raise self.refused_key("api_key", "it does not go with the site_id here")
        if response.status_code == 404:
            hint = f"Set {self.place}.url to https://track.customer.io or https://track-eu.customer.io."
            raise CatchmentError(f"There is no Customer.io at {self.url} (HTTP 404).", hint=hint)
        if response.status_code in (400, 413):
            raise Refused(str(read_json(response)), code=str(response.status_code))
        raise self.unexpected(response)


def _ulid(key: str, batch: Batch) -> str:
    """Give the id of one row's event, the same for ever, in the only form by which Customer.io knows one again."""
    number = int.from_bytes(blake2b(f"{batch.sync.name}\n{key}".encode(), digest_size=16).digest())
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
