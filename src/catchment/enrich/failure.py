"""Events that failed, as rows of `failed_events`: why, and the untouched original."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import pyarrow as pa

from catchment.schema.validate import Fault
from catchment.tables import FAILED_EVENTS, OFFSET

NAMESPACE = uuid.UUID("2b8f4a52-7c2e-4a55-9b1c-0e5a3f7d9c64")
_ENVELOPE = (
    *("payload_id", "collector", "path", "querystring", "content_type", "hostname", "ip_address", "useragent"),
    *("referer_uri", "headers", "network_userid"),
)
"""What of the payload an event is enriched from; stands in `original` so that the event can be replayed."""
SENT, IS_READ, PLACE, ANCESTOR = "_sent", "_is_read", "_place", "_ancestor"
"""What a payload carries that is replayed: one event as JSON, whether its adapter had read it, its index, and the
failed row it was."""


def stable_id(payload_id: str, index: int, purpose: str) -> str:
    """Give an id that is the same each time the same payload is enriched, so that a repeat is identical."""
    return str(uuid.uuid5(NAMESPACE, f"{payload_id}/{index}/{purpose}"))


class Failures:
    """The rows of `failed_events` of one batch, while they gather."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._rows: list[dict[str, Any]] = []

    def add_payload(self, payload: dict[str, Any], kind: str, faults: Sequence[Fault]) -> None:
        """Add a payload that could not be parted; its body is kept as it came."""
        self._add(payload, 0, kind, faults, parameters=None)

    def add_event(
        self,
        payload: dict[str, Any],
        index: int,
        kind: str,
        faults: Sequence[Fault],
        parameters: dict[str, Any],
        is_read: bool = True,
    ) -> None:
        """Add one event of a payload, with the tracker's parameters, or where its adapter refused it, as it came."""
        self._add(payload, index, kind, faults, parameters=parameters, is_read=is_read)

    def table(self) -> pa.Table:
        """Give the rows, with the offset of their payload."""
        schema = FAILED_EVENTS.schema.append(pa.field(OFFSET, pa.int64()))
        return pa.Table.from_pylist(self._rows, schema=schema)

    def _add(
        self,
        payload: dict[str, Any],
        index: int,
        kind: str,
        faults: Sequence[Fault],
        *,
        parameters: dict[str, Any] | None,
        is_read: bool = False,
    ) -> None:
        known = {key: value for key, value in (parameters or {}).items() if isinstance(value, str)}
        first, others = faults[0], len(faults) - 1
        envelope = {name: payload[name] for name in _ENVELOPE}
        content = {"payload": envelope, "parameters": parameters} | ({} if is_read else {"is_read": False})
        original, is_whole = _write(content, {"payload": envelope}, index)
        ancestor = payload.get(ANCESTOR)
        descent = "" if ancestor is None else f"/{ancestor}"
        self._rows.append(
            {
                "failed_id": stable_id(payload["payload_id"], index, f"failed/{parameters is None}{descent}"),
                "payload_id": payload["payload_id"],
                "event_index": index,
                "event_id": known.get("eid") or _made_id(payload, index, parameters),
                "app_id": known.get("aid"),
                "collector_tstamp": payload["collector_tstamp"],
                "failed_tstamp": self._now,
                "stage": "enrich",
                "type": kind,
                "code": first.code,
                "message": first.message + (f" (and {others} more)" if others else ""),
                "schema": first.schema,
                "errors": orjson.dumps([fault._asdict() for fault in faults]).decode(),
                "original": original,
                "payload": payload["body"] if parameters is None or not is_whole else None,
                "replayed_tstamp": None,
                "ancestor_id": ancestor,
                OFFSET: payload[OFFSET],
            }
        )


def _made_id(payload: dict[str, Any], index: int, parameters: dict[str, Any] | None) -> str | None:
    return None if parameters is None else stable_id(payload["payload_id"], index, "event")


def _write(content: dict[str, Any], without: dict[str, Any], index: int) -> tuple[str, bool]:
    """Write JSON, and whether it is all of it.

    What nests too deep to be written stays in the payload's bytes alone, as the event of that index.
    """
    try:
        return orjson.dumps(content).decode(), True
    except orjson.JSONEncodeError:
        return orjson.dumps({**without, "parameters": None, "index": index}).decode(), False
