"""What is tried again, how long is waited, and what is given up."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from catchment.activate.caller import Caller, Unanswered, read_json


def ask(answer: Callable[[int], httpx.Response], slept: list[float]) -> httpx.Response:
    """Ask a scripted server: `answer` gives its response to the first request, the second, ..."""
    numbers = iter(range(1, 100))
    transport = httpx.MockTransport(lambda request: answer(next(numbers)))
    with httpx.Client(transport=transport) as client:
        return Caller(client, sleep=slept.append, chance=lambda: 1.0).request("GET", "http://vendor")


def test_waits_grow_until_there_is_an_answer() -> None:
    slept: list[float] = []
    response = ask(lambda number: httpx.Response(503 if number < 4 else 200), slept)
    assert (response.status_code, slept) == (200, [1.0, 2.0, 4.0])


def test_after_four_tries_it_is_given_up_with_the_status() -> None:
    slept: list[float] = []
    with pytest.raises(Unanswered, match="502 Bad Gateway, 4 tries") as silence:
        ask(lambda number: httpx.Response(502), slept)
    assert (silence.value.code, len(slept)) == ("502", 3)


@pytest.mark.parametrize("status", [200, 201, 400, 401, 403, 404, 413])
def test_a_final_answer_is_not_asked_for_twice(status: int) -> None:
    assert ask(lambda number: httpx.Response(status if number == 1 else 599), []).status_code == status


@pytest.mark.parametrize("header", ["Retry-After", "X-Ratelimit-Retry-After"])
def test_a_wait_in_seconds_is_obeyed(header: str) -> None:
    slept: list[float] = []
    ask(lambda number: httpx.Response(429, headers={header: "11"}) if number == 1 else httpx.Response(200), slept)
    assert slept == [11.0]


def test_a_wait_until_a_date_is_obeyed() -> None:
    slept: list[float] = []
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    ask(
        lambda number: httpx.Response(429, headers={"Retry-After": until}) if number == 1 else httpx.Response(200),
        slept,
    )
    assert 50 < slept[0] <= 60


def test_a_wait_that_cannot_be_read_is_our_own() -> None:
    slept: list[float] = []
    ask(
        lambda number: httpx.Response(429, headers={"Retry-After": "soon"}) if number == 1 else httpx.Response(200),
        slept,
    )
    assert slept == [1.0]


def test_a_page_that_is_not_json_is_no_answer() -> None:
    with pytest.raises(Unanswered, match="not JSON"):
        read_json(httpx.Response(200, text="<html>"))
