"""What exactly is sent of a row: its payload without what need not, or must not, be told."""

from datetime import datetime
from typing import Any

import orjson
import polars as pl

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

    def put(self, rows: pl.DataFrame) -> tuple[list[Row], list[str]]:
        """Give what is told of wanted rows, also as text."""
        bodies, texts = [], []
        for payload, held, status in rows.select("payload", "held_payload", "last_status").iter_rows():
            text = fill_variables(payload, self.variables)
            body = orjson.loads(text)
            if held is not None or "null" in text:
                body = self._told(body, orjson.loads(held or b"{}"), status)
                text = as_text(body)
            bodies.append(body)
            texts.append(text)
        return bodies, texts

    def take(self, rows: pl.DataFrame, operation: Operation) -> tuple[list[Row], list[str]]:
        """Give what is told of leavers: payloads as they were accepted, or with null for what we had set."""
        bodies = [self._leaving(orjson.loads(held), operation) for held in rows["held_payload"]]
        return bodies, [as_text(body) for body in bodies]

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

    def _told(self, wanted: Row, held: Row, status: str | None) -> Row:
        """Give no empty field but those that we had filled before and must clear.

        Where the destination counts fields, and what it holds is certain, only those that changed.
        """
        told = {name: value for name, value in wanted.items() if self._is_told(name, value, held)}
        is_certain = bool(held) and status not in UNSURE
        if not (self.destination.charges_for_fields and is_certain):
            return told
        return {name: value for name, value in told.items() if name in self.identity or value != held.get(name)}

    def _leaving(self, payload: Row, operation: Operation) -> Row:
        held = {name: value for name, value in payload.items() if value is not None}
        if operation != "clear":
            return held
        return {name: value if name in self.identity else None for name, value in held.items()}

    def _is_told(self, name: str, value: Any, held: Row) -> bool:
        if value is not None:
            return True
        return held.get(name) is not None and name not in self.skipped and name not in self.only


def as_text(body: Row) -> str:
    """Give a payload as text."""
    return orjson.dumps(body).decode()
