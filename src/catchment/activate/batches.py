"""Rows become batches: each as large as the smallest of rows, bytes and distinct ids allows."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from catchment.activate.batch import Limits

BRACKETS = 64
"""Bytes of a request beside its rows."""
CHUNK = 10_000
"""About so many rows are made into bodies at a time."""

Thing = TypeVar("Thing")


def chunk_size(limits: Limits, count: int) -> int:
    """Give how many rows to take at a time, so that no batch is cut short for it."""
    if limits.rows is None:
        return max(1, count)
    return limits.rows * max(1, CHUNK // limits.rows)


def size_of(text: str) -> int:
    """Give the bytes of a text on its way."""
    return len(text) if text.isascii() else len(text.encode())


def cut(texts: Sequence[str], bodies: Sequence[dict[str, Any]], limits: Limits, identity: list[str]) -> Iterator[slice]:
    """Give the slices of rows that one request may hold."""
    if limits.size_bytes is None and limits.distinct_ids is None:
        yield from _evenly(len(texts), limits.rows)
        return
    start, size = 0, BRACKETS
    ids: set[str] = set()
    for number, text in enumerate(texts):
        more = size_of(text) + 1 if limits.size_bytes is not None else 0
        known = _identity(bodies[number], identity) if limits.distinct_ids is not None else ""
        ids_more = 0 if known in ids else 1
        if number > start and (_is_over(limits.rows, number - start + 1) or _is_over(limits.size_bytes, size + more)
                               or _is_over(limits.distinct_ids, len(ids) + ids_more)):  # fmt: skip
            yield slice(start, number)
            start, size, ids = number, BRACKETS, set()
        size += more
        ids.add(known)
    if texts:
        yield slice(start, len(texts))


def with_last(things: Iterable[Thing]) -> Iterator[tuple[Thing, bool]]:
    """Say of each thing whether it is the last."""
    before: list[Thing] = []
    for thing in things:
        if before:
            yield before.pop(), False
        before.append(thing)
    if before:
        yield before.pop(), True


def _evenly(count: int, rows: int | None) -> Iterator[slice]:
    step = rows or max(1, count)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _is_over(limit: int | None, count: int) -> bool:
    return limit is not None and count > limit


def _identity(body: dict[str, Any], identity: list[str]) -> str:
    return str([body.get(name) for name in identity])
