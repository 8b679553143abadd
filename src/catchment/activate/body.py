"""What exactly is sent of a row: its payload without what need not, or must not, be told."""

from datetime import datetime
from typing import Any

import orjson

from catchment.activate.batch import Batch, Operation
from catchment.activate.caller import Caller
from catchment.activate.definition import Sync
from catchment.activate.destination import Destination
from catchment.activate.diff import UNSURE
from catchment.activate.render import fill_variables

Row = dict[str, Any]


class Bodies:
    """Makes the bodies of one run of one sync."""

    def __init__(self, sync: Sync, destination: Destination, run_id: str, now: datetime) -> None:
        self.destination = destination
        self.identity = set(destination.identity(sync))
        empties = sync.empties()
        self.skipped = {name for name, empty in empties.items() if empty == "skip"}
        self.only = {name for name, empty in empties.items() if empty == "only_if_empty"}
        self.variables = {
            "run_id": run_id,
            "sync": sync.name,
            "audience": sync.audience or "",
            "destination": sync.destination,
            "started_at": now.isoformat(),
        }

    def put(self, row: Row) -> Row:
        """Give what is told of a wanted row: no empty field but those that we had filled before and must clear.

        Where the destination counts fields, and what it holds is certain, only those that changed.
        """
        text = fill_variables(row["payload"], self.variables)
        wanted: Row = orjson.loads(text)
        if row["held_payload"] is None and "null" not in text:
            return wanted
        held: Row = orjson.loads(row["held_payload"] or b"{}")
        told = {name: value for name, value in wanted.items() if self._is_told(name, value, held)}
        is_certain = bool(held) and row["last_status"] not in UNSURE
        if not (self.destination.charges_for_fields and is_certain):
            return told
        return {name: value for name, value in told.items() if name in self.identity or value != held.get(name)}

    def take(self, row: Row, operation: Operation) -> Row:
        """Give what is told of a leaver: the payload as it was accepted, or with null for what we had set."""
        held = {name: value for name, value in orjson.loads(row["held_payload"]).items() if value is not None}
        if operation != "clear":
            return held
        return {name: value if name in self.identity else None for name, value in held.items()}

    def only_empty(self, batch: Batch, caller: Caller) -> Batch:
        """Leave out of a batch the fields that may only be filled, where the destination has a value already."""
        if not self.only or batch.operation not in ("upsert", "update"):
            return batch
        theirs = self.destination.read(batch, caller)
        rows = [
            {name: value for name, value in row.items() if name not in self.only or held.get(name) in (None, "")}
            for row, held in zip(batch.rows, theirs, strict=True)
        ]
        return batch._replace(rows=rows)

    def _is_told(self, name: str, value: Any, held: Row) -> bool:
        if value is not None:
            return True
        return held.get(name) is not None and name not in self.skipped and name not in self.only
