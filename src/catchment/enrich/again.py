"""Failed events become payloads again, repaired by a function of the user's where there is one."""

import copy
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from catchment.enrich.enriched import PATH, EnrichedReader
from catchment.enrich.failure import ANCESTOR, IS_READ, PLACE, SENT, Failures
from catchment.enrich.pipeline import Enriched, Pipeline
from catchment.event import TIMESTAMP
from catchment.schema.validate import Fault
from catchment.tables import OFFSET, PAYLOADS

RECOVERY_ERROR = "recovery_error"
"""The type of failed event that one becomes for which the repair raised."""

FailedEvent = dict[str, Any]
Repair = Callable[[FailedEvent], FailedEvent | None]
"""Takes one failed event; gives it repaired, or None to leave it as it is. What it raises fails the event again.

It holds `parameters` (what the tracker sent; None where the payload could not be parted), `body` (then: its bytes),
`payload` (what of the request counts: path, headers, ...) and `failure` (type, code, message, schema, errors).
"""

_AGAIN = pa.schema(
    [
        *PAYLOADS.schema,
        *((SENT, pa.string()), (IS_READ, pa.bool_()), (PLACE, pa.int32()), (ANCESTOR, pa.string())),
    ]
)
_MESSAGE_LENGTH = 500
_ALWAYS = ("path", "payload_id", "collector")


class Again(NamedTuple):
    """Payloads to enrich, and those that the repair could not mend."""

    payloads: pa.Table
    failed: pa.Table


def prepare(rows: Sequence[dict[str, Any]], repair: Repair | None, now: datetime) -> Again:
    """Turn rows of `failed_events`, with OFFSET, into payloads; what each was when it failed stays as it is there."""
    failures = Failures(now)
    payloads = []
    for row in rows:
        event = read_failed(row)
        try:
            payloads.append(_payload(row, event if repair is None else _repaired(repair, event)))
        except Exception as error:  # the repair may be anybody's code
            message = f"The repair raised {type(error).__name__}: {error}"[:_MESSAGE_LENGTH]
            _fail(failures, row, [Fault("repair", message, path=row["type"])])
    return Again(pa.Table.from_pylist(payloads, schema=_AGAIN), failures.table())


def enrich_again(payloads: pa.Table, pipeline: Pipeline, reader: EnrichedReader, now: datetime) -> Enriched:
    """Enrich payloads that `prepare` gave: lines of enriched events are read, all others go through the pipeline."""
    is_line = pc.equal(payloads["path"], PATH)
    sent = pipeline.enrich(payloads.filter(pc.invert(is_line)), now)
    if not pc.any(is_line, min_count=0).as_py():
        return sent
    read = reader.enrich(payloads.filter(is_line), now)
    # All that one replay brings carries its moment, by which it is told from all else.
    place = read.events.column_names.index("etl_tstamp")
    stamps = pa.array([now] * read.events.num_rows, TIMESTAMP)
    lines = read.events.set_column(place, "etl_tstamp", stamps)
    events = pa.concat_tables([sent.events, lines], promote_options="default")
    failed = pa.concat_tables([sent.failed, read.failed])
    return Enriched(events, failed, events.num_rows + failed.num_rows)


def wants(rows: Sequence[dict[str, Any]], repair: Repair) -> list[bool]:
    """Say for each row whether the repair would send it again; one for which it raises, it would."""
    return [_wants(repair, read_failed(row)) for row in rows]


def read_failed(row: dict[str, Any]) -> FailedEvent:
    """Give a row of `failed_events` as a repair sees it."""
    original = orjson.loads(row["original"])
    errors = orjson.loads(row["errors"])
    failure = {name: row[name] for name in ("type", "code", "message", "schema")}
    return {
        "parameters": original["parameters"],
        "body": row["payload"],
        "payload": original["payload"],
        "failure": {**failure, "errors": errors},
    }


def _wants(repair: Repair, event: FailedEvent) -> bool:
    try:
        return repair(event) is not None
    except Exception:  # told when it is sent: then it becomes a failed event that says so
        return True


def _repaired(repair: Repair, event: FailedEvent) -> FailedEvent:
    repaired = repair(copy.deepcopy(event))
    if repaired is None:
        raise ValueError("it left out an event that it had chosen")
    return repaired


def _payload(row: dict[str, Any], event: FailedEvent) -> dict[str, Any]:
    parameters, body = event["parameters"], event["body"]
    original = orjson.loads(row["original"])
    return {
        **{name: event["payload"].get(name) for name in PAYLOADS.schema.names},
        **{name: event["payload"][name] for name in _ALWAYS},
        OFFSET: row[OFFSET],
        "collector_tstamp": row["collector_tstamp"],
        "body": body.encode() if isinstance(body, str) else body,
        SENT: None if parameters is None else orjson.dumps(parameters).decode(),
        IS_READ: original.get("is_read", True),
        PLACE: original.get("index") if parameters is None else row["event_index"],
        ANCESTOR: row["failed_id"],
    }


def _fail(failures: Failures, row: dict[str, Any], faults: Sequence[Fault]) -> None:
    original = orjson.loads(row["original"])
    payload = {
        **original["payload"],
        "body": row["payload"],
        "collector_tstamp": row["collector_tstamp"],
        OFFSET: row[OFFSET],
        ANCESTOR: row["failed_id"],
    }
    if original["parameters"] is None:
        failures.add_payload(payload, RECOVERY_ERROR, faults)
    else:
        is_read = original.get("is_read", True)
        failures.add_event(payload, row["event_index"], RECOVERY_ERROR, faults, original["parameters"], is_read)
