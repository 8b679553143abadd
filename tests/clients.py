"""Clients that send until told to stop: what load tests of the collector share."""

import threading
import time
from typing import Self

WITHIN_S = 60.0
"""A guard against waiting for ever."""


class Clients:
    """Threads that each run `send` until told to stop; `kept` is what was answered with 200."""

    def __init__(self, count: int) -> None:
        self.kept: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send_until_told, args=(client,)) for client in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more were answered with 200."""
        wanted, deadline = len(self.kept) + more, time.monotonic() + WITHIN_S
        while len(self.kept) < wanted:
            assert time.monotonic() < deadline, f"{more} more were not answered with 200 in {WITHIN_S:.0f} s"
            self._stop.wait(0.02)

    def send(self, client: int, number: int) -> None:
        """Send once."""
        raise NotImplementedError

    def _send_until_told(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self.send(client, number)
