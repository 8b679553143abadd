"""One budget for each key, obedient to headers, careful after a complaint, bold again after a while without."""

import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import orjson
import pytest

from catchment.activate import ActivateSettings
from catchment.activate.batch import Pace
from catchment.activate.caller import Caller
from catchment.activate.destination import open_destination
from catchment.activate.pace import GROW_AFTER, Budget, Budgets, told_wait_s


class Clock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_requests_are_spread_as_the_pace_allows() -> None:
    clock = Clock()
    budget = Budget(Pace(requests=10, per_s=2.0), clock)
    for _ in range(40):
        with budget.slot(clock.sleep):
            pass
    assert clock.now - 1_000 == pytest.approx(6.0)


def test_after_a_complaint_fewer_run_at_once_and_everybody_waits() -> None:
    clock = Clock()
    budget = Budget(Pace(concurrent=8), clock)
    until = budget.complain(5.0)
    assert budget.at_once == 4
    with budget.slot(clock.sleep):
        assert clock.now == 1_005
    budget.resume(until)
    for _ in range(GROW_AFTER):
        budget.praise()
    assert budget.at_once == 5


def test_no_more_run_at_once_than_the_pace_allows() -> None:
    budget, running, most = Budget(Pace(concurrent=2)), [], []

    def work() -> None:
        with budget.slot(time.sleep):
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)
            running.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 2


def test_syncs_with_one_key_share_a_budget_and_others_have_their_own(tmp_path: Path) -> None:
    block = {"type": "braze", "url": "https://braze.example", "api_key": "one"}
    blocks = {"a": block, "b": dict(block), "c": {**block, "api_key": "two"}}
    settings = ActivateSettings(destinations=blocks)
    keys = [open_destination(settings, name, tmp_path).credential for name in "abc"]
    budgets = Budgets()
    a, b, c = (budgets.of(key, Pace()) for key in keys)
    assert a is b and a is not c
    assert "one" not in keys[0]


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"X-RateLimit-Retry-After": "3"}, 3),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "12"}, 12),
        ({"X-RateLimit-Remaining": "5", "X-RateLimit-Reset": "12"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_what_headers_say_is_read(headers: dict[str, str], wait_s: float | None) -> None:
    assert told_wait_s(httpx.Response(200, headers=headers)) == wait_s


def test_a_moment_in_a_header_is_read_as_the_time_until_then() -> None:
    until = datetime.now(UTC) + timedelta(seconds=900)
    told = {"Retry-After": format_datetime(until, usegmt=True)}
    spent = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(until.timestamp()))}
    for headers in (told, spent):
        assert told_wait_s(httpx.Response(200, headers=headers)) == pytest.approx(900, abs=60)


def test_a_spent_budget_holds_back_the_next_request_though_this_one_went_well() -> None:
    clock, slept = Clock(), []
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200, headers=headers))) as client:
        caller = Caller(client, budget=Budget(Pace(), clock), sleep=slept.append)
        caller.request("GET", "http://vendor")
        assert slept == []
        caller.request("GET", "http://vendor")
    assert slept == [pytest.approx(9)]


@pytest.mark.parametrize(
    ("usage", "wait_s"),
    [
        ({"x-business-use-case-usage": {"1": [{"call_count": 100, "estimated_time_to_regain_access": 2}]}}, 120),
        ({"x-business-use-case-usage": {"1": [{"call_count": 10, "estimated_time_to_regain_access": 0}]}}, None),
        ({"x-app-usage": {"call_count": 98, "total_time": 3, "total_cputime": 3}}, 60),
        ({"x-ad-account-usage": {"acc_id_util_pct": 99.5}}, 60),
        ({}, None),
    ],
)
def test_meta_s_usage_headers_are_obeyed(tmp_path: Path, usage: dict[str, object], wait_s: float | None) -> None:
    block = {"type": "meta", "access_token": "t"}
    meta = open_destination(ActivateSettings(destinations={"meta": block}), "meta", tmp_path)
    headers = {name: orjson.dumps(value).decode() for name, value in usage.items()}
    assert meta.wait_s(httpx.Response(200, headers=headers)) == wait_s


def test_what_may_have_been_done_is_not_asked_twice_on_a_line_for_once() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(502)

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        caller = Caller(client, sleep=lambda seconds: None).once()
        with pytest.raises(Exception, match="502") as silence:
            caller.request("POST", "http://vendor")
    assert (len(asked), silence.value.may_have_acted) == (1, True)  # type: ignore[attr-defined]


def test_a_contract_that_allows_other_than_documented_is_said_in_settings(tmp_path: Path) -> None:
    block = {"type": "braze", "url": "https://braze.example", "api_key": "one"}
    blocks = {"as_documented": block, "old": {**block, "requests_per_s": 0.5, "requests_at_once": 2}}
    paces = {
        name: open_destination(ActivateSettings(destinations=blocks), name, tmp_path).own_pace() for name in blocks
    }
    assert paces["as_documented"].requests == 2_500 and paces["as_documented"].concurrent == 16
    assert paces["old"] == Pace(requests=1, per_s=2, concurrent=2)
