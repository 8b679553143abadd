"""Several processes that serve the same port: replaced when they die, stopped together."""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from catchment.errors import CatchmentError
from catchment.listen import serve_while_parent_lives
from catchment.observe import log as facts

DEATHS = 5
WITHIN_S = 60.0
"""More deaths than that in this time are no accident: the whole ends, so that whoever runs it sees it."""

STOPPED_WITHIN_S = 60.0


def keep_running(count: int, serve: Callable[..., None], *arguments: Any) -> None:
    """Run `serve(*arguments)` in `count` processes until SIGTERM or SIGINT, replacing each that dies.

    Raises CatchmentError where they die again and again.
    """
    with _stop_signal() as stop:
        workers = [_start(serve, arguments) for _ in range(count)]
        try:
            _replace_the_dead(workers, stop, lambda: _start(serve, arguments))
        finally:
            _stop_all(workers)


def _start(serve: Callable[..., None], arguments: tuple[Any, ...]) -> Any:
    worker = multiprocessing.get_context("spawn").Process(
        target=serve_while_parent_lives, args=(serve, *arguments), name="collector worker"
    )
    worker.start()
    return worker


def _replace_the_dead(workers: list[Any], stop: int, start: Callable[[], Any]) -> None:
    deaths: deque[float] = deque(maxlen=DEATHS + 1)
    while stop not in wait([stop, *(worker.sentinel for worker in workers)]):
        for place, worker in enumerate(workers):
            if worker.is_alive():
                continue
            worker.join()
            facts.error("collect worker %d died (exit %s), another takes its place", worker.pid, worker.exitcode)
            deaths.append(time.monotonic())
            if len(deaths) > DEATHS and deaths[-1] - deaths[0] < WITHIN_S:
                raise CatchmentError(
                    f"The collector's workers died {len(deaths)} times within {WITHIN_S:.0f} s.",
                    hint="Their own messages stand above.",
                )
            workers[place] = start()


def _stop_all(workers: list[Any]) -> None:
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + STOPPED_WITHIN_S
    for worker in workers:
        worker.join(timeout=max(deadline - time.monotonic(), 0))
        if worker.is_alive():
            worker.kill()
            worker.join()


@contextmanager
def _stop_signal() -> Iterator[int]:
    """Give a file descriptor that becomes readable once this process is told to stop."""
    readable, writable = os.pipe()
    names = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(name, lambda *_: os.write(writable, b".") and None) for name in names]
    try:
        yield readable
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
        os.close(readable)
        os.close(writable)
