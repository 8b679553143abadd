"""Let a commit finish before Ctrl-C is heard: delta-rs panics when a signal handler raises in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_HELD_BACK = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM while the block lasts, and deliver them right after it.

    Signals reach only the main thread; in any other the block simply runs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def hold_back(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, hold_back) for number in _HELD_BACK}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
