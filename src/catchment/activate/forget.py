"""The right to be forgotten reaches destinations: deletion where they have it, a word in the report where not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from catchment.activate.batch import Batch, Operation, Outcome, Refused
from catchment.activate.caller import Caller, Unanswered, open_caller
from catchment.activate.definition import Sync
from catchment.activate.deliver import silence
from catchment.activate.destination import Destination
from catchment.activate.ledger import Ledger
from catchment.activate.pace import Budgets
from catchment.activate.planning import Ground
from catchment.activate.state import State, hash_keys
from catchment.tables import SYNC_STATE

PERSON = "person_id"


@dataclass(frozen=True)
class Forgotten:
    """What became of one row of one person at one destination.

    `forgotten`: deleted there. `taken_out`: off the audience, but the destination has no deletion by API.
    `no_deletion`: still there, and only a person can delete it. `unreachable`: sent to a place that the sync has left.
    `retry`: not done yet, ask again. `rejected`: refused.
    """

    sync: str
    destination: str
    row_key: str
    status: str
    reason: str | None = None


def forget_rows(
    sync: Sync, destination: Destination, ground: Ground, keys: Sequence[str], run_id: str
) -> list[Forgotten]:
    """Delete the rows of these keys at the destination, and forget here what it held of them."""
    state = State(ground.lake, sync, destination)
    hashes = pl.DataFrame({"key": keys}, {"key": pl.String}).select(hash_keys(pl.col("key"))).to_series()
    held = state.rows(hashes).filter(pl.col("payload").is_not_null())
    elsewhere = _elsewhere(sync, ground, keys, state.scope)
    ledger = Ledger(sync, state, ground.lake, run_id, ground.now)
    budget = (ground.budgets or Budgets()).of(destination.credential, destination.own_pace())
    ends = [Forgotten(sync.name, sync.destination, key, "unreachable", "the sync has another address or target now")
            for key in elsewhere]  # fmt: skip
    if held.height:
        with open_caller(ground.sleep, budget=budget, told=destination.wait_s) as caller:
            ends += [_forget(one, destination, ledger, caller) for one in held.to_dicts()]
        state.compact()
    destination.close()
    return ends


def person_keys(sync: Sync, ground: Ground, person: str) -> list[str]:
    """Give the keys under which a sync may have sent a person."""
    if sync.key == PERSON:
        return [person]
    columns = ground.session.query(f"select * from {sync.model} where 1 = 0").schema.names
    if PERSON not in columns:
        return []
    question = f"select distinct cast({sync.key} as string) as row_key from {sync.model} where {PERSON} = $person"
    found: list[str] = ground.session.query(question, {"person": person}).read_all()["row_key"].to_pylist()
    return found


def _forget(row: dict[str, Any], destination: Destination, ledger: Ledger, caller: Caller) -> Forgotten:
    held = {name: value for name, value in orjson.loads(row["payload"]).items() if value is not None}
    sync = ledger.sync
    batch = Batch(sync, "forget", [held], (row["row_key"],), id=f"forget-{row['row_key']}", run_id=ledger.run_id)
    outcome = _ask(destination.forget, batch, caller)
    status = "forgotten" if outcome.status == "sent" else outcome.status
    if outcome.code == "no_deletion":
        out = _take_out(destination, batch, caller)
        status = "taken_out" if out is not None and out.status == "sent" else "no_deletion"
    ledger.record_forgotten(row["row_key"], status, outcome)
    return Forgotten(sync.name, sync.destination, row["row_key"], status, outcome.reason)


def _take_out(destination: Destination, batch: Batch, caller: Caller) -> Outcome | None:
    """Take a person off the audience where they cannot be deleted; None where there is nothing to be taken off."""
    if "mirror" not in destination.modes or batch.sync.mode != "mirror":
        return None
    operation: Operation = batch.sync.on_leave
    return _ask(destination.send, batch._replace(operation=operation), caller)


def _ask(verb: Any, batch: Batch, caller: Caller) -> Outcome:
    try:
        done = verb(batch, caller)
    except Unanswered as error:
        return silence(error, is_repeatable=True)
    except Refused as refused:
        return Outcome("rejected", refused.code, str(refused))
    return done[0] if isinstance(done, list) else Outcome("sent", "job", f"job {done.id}")


def _elsewhere(sync: Sync, ground: Ground, keys: Sequence[str], scope: str) -> list[str]:
    rows = ground.lake.read(SYNC_STATE.name, ["row_key", "scope", "payload"], filters=[("sync", "=", sync.name)])
    wanted = set(keys)
    return sorted({row["row_key"] for row in rows.to_pylist()
                   if row["row_key"] in wanted and row["scope"] != scope and row["payload"] is not None})  # fmt: skip
