"""What passes between the engine and a destination: rows on their way, what became of each, and how fast it may go."""

from typing import Any, Literal, NamedTuple

from catchment.activate.definition import Sync

Payload = dict[str, Any]
Operation = Literal["upsert", "insert", "update", "event", "remove", "archive", "clear", "forget"]
Status = Literal["sent", "rejected", "retry", "unknown"]


class Outcome(NamedTuple):
    """What became of one row, in the vendor's words.

    `sent`: the vendor has it. `rejected`: it never will, as the row is. `retry`: it has it not, and may later.
    `unknown`: it was asked, and nobody knows.
    """

    status: Status
    code: str | None = None
    reason: str | None = None
    field: str | None = None


SENT = Outcome("sent")


class Job(NamedTuple):
    """Work that a vendor took on and does later: its id there, and what else is needed to ask for it."""

    id: str
    facts: dict[str, Any] = {}


class Batch(NamedTuple):
    """Rows for one request: payloads to put there, or payloads as once accepted, to take out.

    `keys` are ours, one a row, and stay the same for ever. `id` is the same whenever these rows are sent again because
    nobody knows what became of them: a vendor or a database that remembers it takes them once.
    """

    sync: Sync
    operation: Operation
    rows: list[Payload]
    keys: tuple[str, ...] = ()
    id: str = ""
    run_id: str = ""
    number: int = 1
    total: int = 0
    is_last: bool = True


class Limits(NamedTuple):
    """How much one request may hold: the smallest of these counts. None is no limit."""

    rows: int | None = 100
    size_bytes: int | None = None
    row_bytes: int | None = None
    distinct_ids: int | None = None


class Pace(NamedTuple):
    """What one credential may do: so many requests in so many seconds, so many at once."""

    requests: int | None = None
    per_s: float = 1.0
    concurrent: int = 1


class Refused(Exception):
    """A vendor refused a whole batch for the sake of rows it did not name; smaller batches tell which."""

    def __init__(self, reason: str, *, code: str) -> None:
        super().__init__(reason)
        self.code = code


def without_values(said: str, batch: Batch) -> str:
    """Take out of what a program said what it repeats of rows: a receipt names nobody."""
    for row in batch.rows:
        for value in row.values():
            if isinstance(value, str) and len(value) > 2 and value in said:
                said = said.replace(value, "***")
    return said
