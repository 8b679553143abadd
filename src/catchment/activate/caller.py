"""HTTP to one vendor: waits when told to, tries again what may work, and says so when it gives up."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from catchment import __version__
from catchment.errors import TransientError

TRIES = 4
TIMEOUT_S = 30.0
LONGEST_WAIT_S = 120.0
WAIT_HEADERS = ("retry-after", "x-ratelimit-retry-after")


class Unanswered(TransientError):
    """A request got no answer to go by: whether the vendor acted on it is unknown."""

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message, hint="Nothing is lost; the next run sends these rows again.")
        self.code = code


class Caller:
    """One line to one vendor; `sleep` and `chance` are the world's clock and dice."""

    def __init__(
        self,
        client: httpx.Client,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        tries: int = TRIES,
    ) -> None:
        self.client = client
        self.sleep = sleep
        self.chance = chance
        self.tries = tries

    def request(
        self, method: str, url: str, *, again: Callable[[httpx.Response], bool] | None = None, **parts: Any
    ) -> httpx.Response:
        """Ask until there is an answer that is final; raises Unanswered where there is none.

        429 and 5xx are never final; `again` names what else a vendor means by "later".
        """
        reason, code = "", ""
        for number in range(1, self.tries + 1):
            wait_s = 2 ** (number - 1) * (0.5 + self.chance() / 2)
            try:
                response = self.client.request(method, url, **parts)
            except httpx.RequestError as error:
                reason, code = f"{type(error).__name__}: {error}", type(error).__name__
            else:
                if not _is_busy(response) and not (again is not None and again(response)):
                    return response
                reason, code = f"{response.status_code} {response.reason_phrase}", str(response.status_code)
                wait_s = _told_wait_s(response) or wait_s
            if wait_s > LONGEST_WAIT_S:
                raise Unanswered(f"{reason}; it asks to wait {wait_s:.0f} s", code=code)
            if number < self.tries:
                self.sleep(wait_s)
        raise Unanswered(f"{reason}, {self.tries} tries", code=code)


@contextmanager
def open_caller(sleep: Callable[[float], None] = time.sleep, *, tries: int = TRIES) -> Iterator[Caller]:
    """Hold connections open for as long as the block lasts."""
    with httpx.Client(timeout=TIMEOUT_S, headers={"User-Agent": f"catchment/{__version__}"}) as client:
        yield Caller(client, sleep=sleep, tries=tries)


def read_json(response: httpx.Response) -> Any:
    """Give the body of an answer; raises Unanswered where it is not JSON, as of a proxy's error page."""
    try:
        return response.json()
    except ValueError as error:
        raise Unanswered(
            f"{response.status_code} with a body that is not JSON", code=str(response.status_code)
        ) from error


def _is_busy(response: httpx.Response) -> bool:
    return response.status_code == 429 or response.status_code >= 500


def _told_wait_s(response: httpx.Response) -> float | None:
    """Read how long to wait, in seconds or as a date, as HTTP allows both."""
    told = next((response.headers[name] for name in WAIT_HEADERS if name in response.headers), None)
    if told is None:
        return None
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(told)
    except ValueError:
        return None
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())
