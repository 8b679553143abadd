"""Braze, through `POST /users/track`."""

from typing import Any, ClassVar

import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Sync
from catchment.activate.destination import SENT, Batch, Limits, Outcome, Refused, Target, WebDestination
from catchment.errors import CatchmentError


class _BrazeTarget(Target):
    attribute: str = Field(default="catchment_audiences", description="The array attribute that lists audiences.")


class Braze(WebDestination):
    """Braze user profiles: attributes, and the audience in an array attribute that segments can filter by."""

    identifiers: ClassVar[tuple[str, ...]] = ("external_id", "email")
    batch_limits: ClassVar[Limits] = Limits(rows=75, size_bytes=4_000_000, row_bytes=100_000, distinct_ids=75)
    charges_for_fields: ClassVar[bool] = True
    target_kind: ClassVar[type[Target]] = _BrazeTarget

    api_key: SecretStr = Field(description="A REST API key with the permission users.track.")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Add the audience to the attributes."""
        attribute = self.target(sync, _BrazeTarget).attribute
        audience = pl.struct(pl.concat_list(pl.lit(sync.audience or sync.name)).alias("add"))
        return super().shape(rows, sync).with_columns(audience.alias(attribute))

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Send attributes; Braze names bad objects by their index."""
        objects = batch.rows if batch.operation == "upsert" else [self._removal(row, batch.sync) for row in batch.rows]
        response = caller.request("POST", f"{self.url}/users/track", json={"attributes": objects}, headers=self._auth())
        if response.status_code in (401, 403):
            raise self.refused_key("api_key", _message(read_json(response)))
        if response.status_code == 404:
            raise CatchmentError(
                f"There is no Braze at {self.url} (HTTP 404).", hint=f"Set {self.place}.url to your REST endpoint."
            )
        if response.status_code in (400, 413):
            raise Refused(_message(read_json(response)), code=str(response.status_code))
        if response.status_code not in (200, 201, 202):
            raise self.unexpected(response)
        return self._outcomes(read_object(response), len(objects))

    def ask(self, caller: Caller) -> None:
        """Track nothing: a known key is told that there is nothing to track."""
        response = caller.request("POST", f"{self.url}/users/track", json={}, headers=self._auth())
        if response.status_code in (401, 403):
            raise self.refused_key("api_key", _message(read_json(response)))
        if response.status_code != 400:
            raise self.unexpected(response)

    def _auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key.get_secret_value()}"}

    def _removal(self, held: dict[str, Any], sync: Sync) -> dict[str, Any]:
        attribute = self.target(sync, _BrazeTarget).attribute
        user = {name: held[name] for name in sync.identifiers if name in held}
        return {**user, attribute: {"remove": held[attribute]["add"]}}

    def _outcomes(self, body: Any, count: int) -> list[Outcome]:
        outcomes = [SENT] * count
        for error in body.get("errors") or []:
            index = error.get("index") if isinstance(error, dict) else None
            if not isinstance(index, int) or index >= count:
                raise Refused(str(error), code="201")
            outcomes[index] = Outcome("rejected", "201", str(error.get("type")))
        return outcomes


def _message(body: Any) -> str:
    return str(body.get("message", body)) if isinstance(body, dict) else str(body)
