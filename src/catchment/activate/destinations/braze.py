"""Braze, through `POST /users/track`."""

from typing import Any, ClassVar

import polars as pl
from pydantic import Field, SecretStr

from catchment.activate.caller import Caller, read_json, read_object
from catchment.activate.definition import Mode, Sync
from catchment.activate.destination import (
    LEFT_OUT,
    SENT,
    Batch,
    Limits,
    Outcome,
    Pace,
    Refused,
    Target,
    WebDestination,
    missing,
)
from catchment.errors import CatchmentError, DefinitionError

DELETED_AT_ONCE = 50


class _BrazeTarget(Target):
    attribute: str = Field(default="catchment_audiences", description="The array attribute that lists audiences.")
    subscription_group_id: str | None = Field(
        default=None, description="Members are subscribed to it, and leavers unsubscribed."
    )
    event: str | None = Field(default=None, description="Mode event: the event's name. `time` is when it was.")


class Braze(WebDestination):
    """Braze user profiles: attributes, the audience in an array attribute, a subscription group; and custom events."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "add", "event")

    identifiers: ClassVar[tuple[str, ...]] = ("external_id", "email")
    batch_limits: ClassVar[Limits] = Limits(rows=75, size_bytes=4_000_000, row_bytes=100_000, distinct_ids=75)
    pace: ClassVar[Pace] = Pace(requests=2_500, per_s=3, concurrent=16)
    charges_for_fields: ClassVar[bool] = True
    target_kind: ClassVar[type[Target]] = _BrazeTarget
    can_forget: ClassVar[bool] = True

    api_key: SecretStr = Field(description="A REST API key with users.track; to forget people, users.delete too.")

    def accept(self, sync: Sync) -> None:
        """Agree to events that have a name and a time."""
        super().accept(sync)
        if sync.mode == "event" and (self.target(sync, _BrazeTarget).event is None or "time" not in sync.fields):
            raise DefinitionError(
                f"{sync.file}: mode event needs target.event, and the field time.",
                hint="target: {event: Signed Up}, and under fields time: a timestamp. Other fields are properties.",
            )

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Add the audience to the attributes; an event needs its time."""
        target = self.target(sync, _BrazeTarget)
        shaped = super().shape(rows, sync)
        if sync.mode == "event":
            return shaped.with_columns(missing(all_of=["time"], any_of=list(sync.identifiers)).alias(LEFT_OUT))
        audience = pl.struct(pl.concat_list(pl.lit(sync.audience or sync.name)).alias("add"))
        shaped = shaped.with_columns(audience.alias(target.attribute))
        if target.subscription_group_id is None:
            return shaped
        return shaped.with_columns(_subscription(target.subscription_group_id, "subscribed"))

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Send attributes or events; Braze names bad objects by their index."""
        kind = "events" if batch.operation == "event" else "attributes"
        if batch.operation == "event":
            objects = [self._event(row, batch.sync) for row in batch.rows]
        elif batch.operation == "upsert":
            objects = batch.rows
        else:
            objects = [self._removal(row, batch.sync) for row in batch.rows]
        return self._outcomes(self._call("track", {kind: objects}, caller), len(objects))

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Delete profiles, 50 in a request; of people known by address the profile that changed last."""
        for first in range(0, len(batch.rows), DELETED_AT_ONCE):
            rows = batch.rows[first : first + DELETED_AT_ONCE]
            ids = [row["external_id"] for row in rows if "external_id" in row]
            unnamed = [row["email"] for row in rows if "external_id" not in row]
            order = ["unidentified", "most_recently_updated"]
            if ids:
                self._call("delete", {"external_ids": ids}, caller)
            if unnamed:
                named = [{"email": address, "prioritization": order} for address in unnamed]
                self._call("delete", {"email_addresses": named}, caller)
        return [SENT] * len(batch.rows)

    def _call(self, verb: str, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
        response = caller.request("POST", f"{self.url}/users/{verb}", json=body, headers=self._auth())
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
        return read_object(response)

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
        target = self.target(sync, _BrazeTarget)
        user = {name: held[name] for name in sync.identifiers if name in held}
        gone: dict[str, Any] = {**user, target.attribute: {"remove": held[target.attribute]["add"]}}
        if target.subscription_group_id is not None:
            group = {"subscription_group_id": target.subscription_group_id, "subscription_state": "unsubscribed"}
            gone["subscription_groups"] = [group]
        return gone

    def _event(self, row: dict[str, Any], sync: Sync) -> dict[str, Any]:
        user = {name: row[name] for name in sync.identifiers if name in row}
        about = {name: value for name, value in row.items() if name not in user and name != "time"}
        return {**user, "name": self.target(sync, _BrazeTarget).event, "time": row["time"], "properties": about}

    def _outcomes(self, body: Any, count: int) -> list[Outcome]:
        outcomes = [SENT] * count
        for error in body.get("errors") or []:
            index = error.get("index") if isinstance(error, dict) else None
            if not isinstance(index, int) or index >= count:
                raise Refused(str(error), code="201")
            outcomes[index] = Outcome("rejected", "201", str(error.get("type")))
        return outcomes


def _subscription(group: str, state: str) -> pl.Expr:
    one = pl.struct(pl.lit(group).alias("subscription_group_id"), pl.lit(state).alias("subscription_state"))
    return pl.concat_list(one).alias("subscription_groups")


def _message(body: Any) -> str:
    return str(body.get("message", body)) if isinstance(body, dict) else str(body)
