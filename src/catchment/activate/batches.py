"""Rows become batches: each as large as the smallest of rows, bytes and distinct ids allows."""

from collections.abc import Iterable, Iterator
from typing import Any

from catchment.activate.batch import Limits
from catchment.activate.ledger import Sent

BRACKETS = 64
"""Bytes of a request beside its rows."""


def part_too_large(rows: Iterable[Sent], limits: Limits, refused: list[Sent]) -> Iterator[Sent]:
    """Give the rows that a request may hold at all; the others go to `refused`."""
    for one in rows:
        if limits.row_bytes is not None and len(one.text) > limits.row_bytes:
            refused.append(one)
        else:
            yield one


def group(rows: Iterable[Sent], limits: Limits, identity: list[str]) -> Iterator[list[Sent]]:
    """Give the rows in groups that one request may hold."""
    held: list[Sent] = []
    ids: set[Any] = set()
    size = BRACKETS
    for one in rows:
        bytes_more = len(one.text) + 1 if limits.size_bytes is not None else 0
        known = _identity(one.body, identity) if limits.distinct_ids is not None else None
        ids_more = 0 if known is None or known in ids else 1
        if held and (_is_over(limits.rows, len(held) + 1) or _is_over(limits.size_bytes, size + bytes_more)
                     or _is_over(limits.distinct_ids, len(ids) + ids_more)):  # fmt: skip
            yield held
            held, ids, size = [], set(), BRACKETS
        held.append(one)
        size += bytes_more
        ids.add(known)
    if held:
        yield held


def with_last(groups: Iterable[list[Sent]]) -> Iterator[tuple[list[Sent], bool]]:
    """Say of each group whether it is the last."""
    before: list[Sent] | None = None
    for rows in groups:
        if before is not None:
            yield before, False
        before = rows
    if before is not None:
        yield before, True


def _is_over(limit: int | None, count: int) -> bool:
    return limit is not None and count > limit


def _identity(body: dict[str, Any], identity: list[str]) -> str:
    return str([body.get(name) for name in identity])
