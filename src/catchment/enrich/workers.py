"""Slices of the log enriched side by side, in processes of their own, and given back in the order they came in.

Tables travel as Arrow streams. The processes are started once, and end with the process that started them.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple, TypeVar

import pyarrow as pa

from catchment.enrich import EnrichSettings
from catchment.enrich.pipeline import Enriched, Pipeline, open_pipeline
from catchment.errors import TransientError
from catchment.schema import SchemaSettings
from catchment.schema.resolver import Resolver, open_resolver

Place = TypeVar("Place")


class _Sent(NamedTuple):
    events: bytes
    failed: bytes
    received: int


class _Worker:
    """What one process opens once; schemas are looked at again with each new round."""

    def __init__(self, settings: EnrichSettings, schemas: SchemaSettings, folder: Path) -> None:
        self.resolver: Resolver = open_resolver(schemas, folder)
        self.pipeline: Pipeline = open_pipeline(settings, self.resolver, folder)
        self.round = 0

    def enrich(self, payloads: bytes, now: datetime, round_: int) -> _Sent:
        if round_ != self.round:
            self.resolver.reread()
            self.round = round_
        done = self.pipeline.enrich(_unpack(payloads), now)
        return _Sent(_pack(done.events), _pack(done.failed), done.received)


class Workers:
    """`enrich.processes` processes; none is started before there is something to enrich."""

    def __init__(self, settings: EnrichSettings, schemas: SchemaSettings, folder: Path) -> None:
        self._settings = settings
        self._opens = (settings, schemas, folder)
        self._pool: ProcessPoolExecutor | None = None
        self._round = 0

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def enrich(
        self, slices: Iterable[tuple[Place, pa.Table]], clock: Callable[[], datetime]
    ) -> Iterator[tuple[Place, pa.Table, Enriched]]:
        """Give each slice with what became of it, in order; no more are held than there are processes, and one.

        Raises TransientError where a process was killed: what was not given back is still in the log.
        """
        self._round += 1
        waiting: deque[tuple[Place, pa.Table, Future[_Sent]]] = deque()
        try:
            for place, payloads in slices:
                job = self._opened().submit(_enrich, _pack(payloads), clock(), self._round)
                waiting.append((place, payloads, job))
                if len(waiting) > self._settings.processes:
                    yield _received(*waiting.popleft())
            while waiting:
                yield _received(*waiting.popleft())
        except BrokenProcessPool as error:
            self.close()
            raise TransientError(
                "A process that enriches was killed.",
                hint="Nothing is lost, the next turn starts it anew; where memory is short, lower enrich.processes.",
            ) from error
        finally:
            for _, _, job in waiting:
                job.cancel()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _opened(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                self._settings.processes,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=self._opens,
            )
        return self._pool


_here: dict[str, _Worker] = {}
"""In a process that enriches: what it opened."""


def _start(settings: EnrichSettings, schemas: SchemaSettings, folder: Path) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started us hears it, and ends us
    threading.Thread(target=_end_with_parent, name="parent watch", daemon=True).start()
    _here["worker"] = _Worker(settings, schemas, folder)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(0)


def _enrich(payloads: bytes, now: datetime, round_: int) -> _Sent:
    return _here["worker"].enrich(payloads, now, round_)


def _received(place: Place, payloads: pa.Table, job: Future[_Sent]) -> tuple[Place, pa.Table, Enriched]:
    sent = job.result()
    return place, payloads, Enriched(_unpack(sent.events), _unpack(sent.failed), sent.received)


def _pack(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _unpack(packed: bytes) -> pa.Table:
    return pa.ipc.open_stream(packed).read_all()
