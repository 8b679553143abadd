"""HTTP to one vendor: waits when told to, tries again what may work, and says so when it gives up."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from catchment import __version__
from catchment.activate.batch import Pace
from catchment.activate.pace import Budget, told_wait_s
from catchment.errors import TransientError

TRIES = 4
TIMEOUT_S = 30.0
LONGEST_WAIT_S = 120.0
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
NOT_DONE = (429, 503)
"""Answers that say that nothing was done."""

Told = Callable[[httpx.Response], float | None]


class Unanswered(TransientError):
    """A request got no answer to go by.

    `is_silent`: nothing came back at all. `may_have_acted`: whether the vendor did it nobody knows.
    """

    def __init__(self, message: str, *, code: str, is_silent: bool = False, may_have_acted: bool = True) -> None:
        super().__init__(message, hint="Nothing is lost; the next run takes care of these rows.")
        self.code = code
        self.is_silent = is_silent
        self.may_have_acted = may_have_acted


class Caller:
    """One line to one vendor; `sleep` and `chance` are the world's clock and dice.

    `told` reads a vendor's own way of asking for patience. Without `may_repeat`, nothing is asked twice that the vendor
    may have done already.
    """

    def __init__(
        self,
        client: httpx.Client,
        *,
        budget: Budget | None = None,
        told: Told = lambda response: None,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        tries: int = TRIES,
    ) -> None:
        self.client = client
        self.budget = budget or Budget(Pace(concurrent=1_000))
        self.told = told
        self.sleep = sleep
        self.chance = chance
        self.tries = tries
        self.may_repeat = True

    def once(self) -> "Caller":
        """Give a line on which nothing is repeated that may have been done."""
        other = Caller(
            self.client, budget=self.budget, told=self.told, sleep=self.sleep, chance=self.chance, tries=self.tries
        )
        other.may_repeat = False
        return other

    def request(
        self, method: str, url: str, *, again: Callable[[httpx.Response], bool] | None = None, **parts: Any
    ) -> httpx.Response:
        """Ask until there is an answer that is final; raises Unanswered where there is none.

        429 and 5xx are never final; `again` names what else a vendor means by "later".
        """
        for number in range(1, self.tries + 1):
            response, silence = self._ask(method, url, parts)
            asked_s = None if response is None else self._read_pace(response)
            if response is not None and not _is_busy(response) and not (again is not None and again(response)):
                self._take(asked_s)
                return response
            silence = silence or _busy(response)
            wait_s = asked_s or 2 ** (number - 1) * (0.5 + self.chance() / 2)
            if number == self.tries or (silence.may_have_acted and not self.may_repeat):
                raise _given_up(silence, number)
            if wait_s > LONGEST_WAIT_S:
                raise _given_up(silence, number, f"it asks to wait {wait_s:.0f} s")
            self._wait(wait_s)
        raise AssertionError("A caller tries at least once.")

    def _ask(self, method: str, url: str, parts: dict[str, Any]) -> tuple[httpx.Response | None, Unanswered | None]:
        try:
            with self.budget.slot(self.sleep):
                return self.client.request(method, url, **parts), None
        except httpx.RequestError as error:
            acted = not isinstance(error, NOT_SENT)
            name = type(error).__name__
            return None, Unanswered(f"{name}: {error}", code=name, is_silent=acted, may_have_acted=acted)

    def _read_pace(self, response: httpx.Response) -> float | None:
        """Read how long to wait; what HTTP says outranks a vendor's coarser ways."""
        told_s = told_wait_s(response)
        return self.told(response) if told_s is None else told_s

    def _take(self, asked_s: float | None) -> None:
        """Take a final answer; one that says the budget is spent holds back whoever comes next."""
        if asked_s:
            self.budget.hold(min(asked_s, LONGEST_WAIT_S))
        self.budget.praise()

    def _wait(self, wait_s: float) -> None:
        paused_until = self.budget.complain(wait_s)
        self.sleep(wait_s)
        self.budget.resume(paused_until)


@contextmanager
def open_caller(
    sleep: Callable[[float], None] = time.sleep,
    *,
    tries: int = TRIES,
    budget: Budget | None = None,
    told: Told = lambda response: None,
) -> Iterator[Caller]:
    """Hold connections open for as long as the block lasts."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    headers = {"User-Agent": f"catchment/{__version__}"}
    with httpx.Client(timeout=TIMEOUT_S, headers=headers, limits=limits) as client:
        yield Caller(client, sleep=sleep, tries=tries, budget=budget, told=told)


def read_json(response: httpx.Response) -> Any:
    """Give the body of an answer; raises Unanswered where it is not JSON, as of a proxy's error page."""
    try:
        return response.json()
    except ValueError as error:
        raise Unanswered(
            f"{response.status_code} with a body that is not JSON", code=str(response.status_code)
        ) from error


def read_object(response: httpx.Response) -> dict[str, Any]:
    """Give the JSON object that an answer holds; raises Unanswered where it holds anything else."""
    body = read_json(response)
    if isinstance(body, dict):
        return body
    raise Unanswered(f"{response.status_code} with a body that is no JSON object", code=str(response.status_code))


def _busy(response: httpx.Response | None) -> Unanswered:
    assert response is not None
    acted = response.status_code not in NOT_DONE and response.status_code >= 500
    said = f"{response.status_code} {response.reason_phrase}"
    return Unanswered(said, code=str(response.status_code), may_have_acted=acted)


def _given_up(silence: Unanswered, tries: int, why: str = "") -> Unanswered:
    reason = f"{silence}; {why}" if why else f"{silence}, {tries} tries" if tries > 1 else str(silence)
    return Unanswered(reason, code=silence.code, is_silent=silence.is_silent, may_have_acted=silence.may_have_acted)


def _is_busy(response: httpx.Response) -> bool:
    return response.status_code == 429 or response.status_code >= 500
