"""Meta's Conversions API: what people did, told from the lake."""

import re
import time
from datetime import datetime
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from catchment.activate import hashing
from catchment.activate.batch import Operation
from catchment.activate.caller import Caller
from catchment.activate.definition import Leave, Mode, Sync, near
from catchment.activate.destination import LEFT_OUT, SENT, Batch, Limits, Outcome, Refused, Target, missing
from catchment.activate.graph import GraphDestination
from catchment.errors import DefinitionError

DAY_S = 86_400


def _birthday(value: str) -> str | None:
    digits = re.sub(r"\D", "", value)[:8]
    return digits if len(digits) == 8 else None


HASHED: dict[str, hashing.Rule] = {
    "em": hashing.email,
    "ph": hashing.phone_digits,
    "fn": hashing.name,
    "ln": hashing.name,
    "ge": hashing.gender,
    "db": _birthday,
    "ct": hashing.place,
    "st": hashing.place,
    "zp": hashing.postal_code,
    "country": hashing.country,
    "external_id": hashing.as_is,
}
PLAIN = ("client_ip_address", "client_user_agent", "fbc", "fbp", "lead_id", "subscription_id")
EVENT = ("event_id", "event_name", "event_time", "event_source_url", "opt_out", "custom_data")


class _ConversionsTarget(Target):
    pixel_id: str = Field(pattern=r"^\d+$", description="The id of the dataset (pixel) in Events Manager.")
    event_name: str | None = Field(default=None, description="Such as Lead or Purchase; or map event_name.")
    action_source: Literal[
        "website", "email", "app", "phone_call", "chat", "physical_store", "system_generated",
        "business_messaging", "other",
    ] = "website"  # fmt: skip
    test_event_code: str | None = Field(default=None, description="Shows the events under Test Events only.")


class MetaConversions(GraphDestination):
    """Meta's Conversions API: events with their ids, so that one told twice counts once; people hashed here."""

    modes: ClassVar[tuple[Mode, ...]] = ("event",)
    leaves: ClassVar[tuple[Leave, ...]] = ()
    identifiers: ClassVar[tuple[str, ...]] = ("event_id",)
    target_kind: ClassVar[type[Target]] = _ConversionsTarget
    batch_limits: ClassVar[Limits] = Limits(rows=1_000)

    def accept(self, sync: Sync) -> None:
        """Agree to names that Meta knows, with a time and somebody who did it."""
        super().accept(sync)
        known = (*HASHED, *PLAIN, *EVENT)
        for name in set(sync.fields) - set(known):
            raise DefinitionError(
                f"{sync.file}: fields: Meta's events have no '{name}'.",
                hint=f"{near(name, known)} What else there is goes into custom_data: {{object: ...}}.",
            )
        if "event_time" not in sync.fields or not set(sync.fields) & {*HASHED, *PLAIN}:
            raise DefinitionError(
                f"{sync.file}: fields: an event has an event_time and somebody who did it.",
                hint="Map event_time to a timestamp, and one or more of em, ph, external_id, fbc, fbp, ...",
            )
        if "event_name" not in sync.fields and self.target(sync, _ConversionsTarget).event_name is None:
            raise DefinitionError(f"{sync.file}: target.event_name is missing.", hint="event_name: Lead")

    def shape(self, rows: pl.DataFrame, sync: Sync) -> pl.DataFrame:
        """Hash who did it; leave out what has no id, no time, or nobody."""
        people = [name for name in sync.fields if name in HASHED]
        rows = rows.with_columns(hashing.hash_column(rows[name], HASHED[name]) for name in people)
        somebody = [name for name in sync.fields if name in HASHED or name in PLAIN]
        return rows.with_columns(missing(all_of=["event_id", "event_time"], any_of=somebody).alias(LEFT_OUT))

    def is_repeatable(self, sync: Sync, operation: Operation) -> bool:
        """Say yes: Meta takes an event id once within 48 hours."""
        return True

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Tell events; one that is bad or too old would take all the others with it."""
        target = self.target(batch.sync, _ConversionsTarget)
        events = [_event(row, target) for row in batch.rows]
        days = 62 if target.action_source == "physical_store" else 7
        oldest = time.time() - days * DAY_S
        good = [event for event in events if event["event_time"] >= oldest]
        body: dict[str, Any] = {"data": good}
        if target.test_event_code is not None:
            body["test_event_code"] = target.test_event_code
        if good:
            answer = self.call_graph(caller, "POST", f"{target.pixel_id}/events", place=batch.sync.file, json=body)
            if answer.get("events_received") != len(good):
                raise Refused(f"{answer.get('events_received')} of {len(good)} events received", code="200")
        old = Outcome("rejected", "too_old", f"older than the {days} days that Meta takes", "event_time")
        return [SENT if event["event_time"] >= oldest else old for event in events]

    @property
    def blames_rows(self) -> bool:
        """One bad event fails a whole request."""
        return True


def _event(row: dict[str, Any], target: _ConversionsTarget) -> dict[str, Any]:
    about = {name: row[name] for name in EVENT if row.get(name) is not None}
    who = {name: [row[name]] if name in HASHED else row[name] for name in (*HASHED, *PLAIN) if row.get(name)}
    moment = row["event_time"]
    seconds = int(datetime.fromisoformat(moment).timestamp()) if isinstance(moment, str) else int(moment)
    name = {} if target.event_name is None else {"event_name": target.event_name}
    return {"action_source": target.action_source, **name, **about, "event_time": seconds, "user_data": who}
