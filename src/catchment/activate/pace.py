"""How fast one credential may go: one budget for all syncs that use it, which obeys what the vendor says in headers."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from catchment.activate.batch import Pace

WAIT_HEADERS = ("retry-after", "x-ratelimit-retry-after")
SPENT_HEADERS = (("x-ratelimit-remaining", "x-ratelimit-reset"), ("ratelimit-remaining", "ratelimit-reset"))
EPOCH_S = 1_000_000_000
"""A reset larger than this is a moment, a smaller one a number of seconds from now."""
GROW_AFTER = 20
"""So many answers without a complaint allow one more request at once."""


class Budget:
    """What one credential may still do; shared by threads.

    Requests are spread as the pace allows, a pause holds everybody back, and how many run at once halves with each
    complaint and grows again by one after a while without.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self.clock = clock
        self.at_once = pace.concurrent
        self._running = 0
        self._quiet = 0
        self._paused_until = 0.0
        self._spent_until = 0.0
        self._free = threading.Condition()

    @contextmanager
    def slot(self, sleep: Callable[[float], None]) -> Iterator[None]:
        """Hold one of the requests that may run at once, after waiting for its turn."""
        with self._free:
            self._free.wait_for(lambda: self._running < self.at_once)
            self._running += 1
            wait_s = self._reserve()
        try:
            if wait_s > 0:
                sleep(wait_s)
            yield
        finally:
            with self._free:
                self._running -= 1
                self._free.notify()

    def complain(self, wait_s: float) -> float:
        """Take note of a refusal for pace: everybody waits, and fewer run at once. Gives the pause's end."""
        with self._free:
            self.at_once = max(1, self.at_once // 2)
            self._quiet = 0
            self._paused_until = max(self._paused_until, self.clock() + wait_s)
            return self._paused_until

    def hold(self, wait_s: float) -> None:
        """Let everybody wait, because the vendor says that the budget is spent."""
        with self._free:
            self._paused_until = max(self._paused_until, self.clock() + wait_s)

    def resume(self, paused_until: float) -> None:
        """End a pause that was slept through, unless it was made longer meanwhile."""
        with self._free:
            if self._paused_until <= paused_until:
                self._paused_until = 0.0

    def praise(self) -> None:
        """Take note of an answer without complaint."""
        with self._free:
            self._quiet += 1
            if self._quiet >= GROW_AFTER and self.at_once < self.pace.concurrent:
                self.at_once, self._quiet = self.at_once + 1, 0
                self._free.notify()

    def _reserve(self) -> float:
        """Give the time to wait for one more request; it is taken as made then."""
        now = self.clock()
        wait_s = max(0.0, self._paused_until - now)
        if self.pace.requests is not None:
            self._spent_until = max(self._spent_until, now) + self.pace.per_s / self.pace.requests
            wait_s = max(wait_s, self._spent_until - self.pace.per_s - now)
        return wait_s


class Budgets:
    """The budgets of all credentials in use."""

    def __init__(self) -> None:
        self._budgets: dict[str, Budget] = {}
        self._lock = threading.Lock()

    def of(self, credential: str, pace: Pace) -> Budget:
        """Give the budget of a credential; the first to ask says its pace."""
        with self._lock:
            return self._budgets.setdefault(credential, Budget(pace))


def told_wait_s(response: httpx.Response) -> float | None:
    """Read from an answer how long to wait: `Retry-After`, or a budget that is spent and when it is new again."""
    told = next((response.headers[name] for name in WAIT_HEADERS if name in response.headers), None)
    if told is not None:
        return _seconds(told)
    for remaining, reset in SPENT_HEADERS:
        if response.headers.get(remaining, "").strip() == "0" and reset in response.headers:
            return _seconds(response.headers[reset])
    return None


def _seconds(told: str) -> float | None:
    """Read seconds, a moment in seconds, or a date, as HTTP and vendors write them."""
    try:
        number = float(told)
    except ValueError:
        pass
    else:
        return max(0.0, number - time.time() if number > EPOCH_S else number)
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
