"""Faults on order, read-back, and a memory that outlives the process."""

from pathlib import Path

import httpx
import pytest

from catchment.errors import PortInUse
from catchment.listen import running
from catchment.sandbox import SandboxSettings
from catchment.sandbox.server import serve_sandbox
from catchment.sandbox.vendors.braze import KEY
from tests.ports import free_port

AUTH = {"Authorization": f"Bearer {KEY}"}


def track(sandbox: httpx.Client, key: str = "a") -> httpx.Response:
    return sandbox.post("/braze/users/track", json={"attributes": [{"external_id": key}]}, headers=AUTH)


def order(sandbox: httpx.Client, **fault: object) -> None:
    assert sandbox.post("/sandbox/faults", json=fault).status_code == 201


def held(sandbox: httpx.Client) -> list[str]:
    return list(sandbox.get("/sandbox/braze").json()["holds"].get("users", {}))


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    settings = SandboxSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    with httpx.Client(base_url=url) as client:
        with running(serve_sandbox, settings, tmp_path, health_url=f"{url}/health", name="sandbox"):
            assert track(client).status_code == 201
        with running(serve_sandbox, settings, tmp_path, health_url=f"{url}/health", name="sandbox"):
            assert held(client) == ["a"]
            assert client.get("/sandbox/braze").json()["requests"] == 1


def test_a_throttled_request_names_when_to_come_back(sandbox: httpx.Client) -> None:
    order(sandbox, vendor="braze", status=429, times=1, retry_after_s=7)
    answer = track(sandbox)
    assert (answer.status_code, answer.headers["retry-after"], answer.headers["x-ratelimit-remaining"]) == (
        429,
        "7",
        "0",
    )
    assert held(sandbox) == []
    assert track(sandbox).status_code == 201


@pytest.mark.parametrize(("vendor", "key"), [("salesforce", "errorCode"), ("meta", "error")])
def test_every_vendor_throttles_in_its_own_words(sandbox: httpx.Client, vendor: str, key: str) -> None:
    order(sandbox, vendor=vendor, status=429)
    answer = sandbox.get(f"/{vendor}/anything")
    body = answer.json()
    assert answer.status_code == 429
    assert key in (body[0] if isinstance(body, list) else body)


def test_a_fault_may_wait_for_its_turn_and_speak_its_own_words(sandbox: httpx.Client) -> None:
    order(sandbox, vendor="braze", status=500, times=2, after=1, body={"message": "out of order"})
    assert [track(sandbox).status_code for _ in range(4)] == [201, 500, 500, 201]


def test_a_dropped_connection_answers_nothing(sandbox: httpx.Client) -> None:
    order(sandbox, vendor="braze", drop=True)
    with pytest.raises(httpx.RemoteProtocolError):
        track(sandbox)
    assert held(sandbox) == []


def test_a_vendor_may_do_the_work_and_then_hang_up(sandbox: httpx.Client) -> None:
    order(sandbox, vendor="braze", drop=True, accepted=True)
    with pytest.raises(httpx.RemoteProtocolError):
        track(sandbox)
    assert held(sandbox) == ["a"]


def test_a_slow_answer_is_still_an_answer(sandbox: httpx.Client) -> None:
    order(sandbox, vendor="braze", delay_s=0.3)
    with pytest.raises(httpx.ReadTimeout):
        sandbox.post("/braze/users/track", json={}, headers=AUTH, timeout=0.05)
    order(sandbox, vendor="braze", delay_s=0.01)
    assert track(sandbox).status_code == 201


def test_what_the_sandbox_does_not_have_is_not_found(sandbox: httpx.Client) -> None:
    assert sandbox.get("/sandbox/nowhere").status_code == 404
    assert sandbox.post("/sandbox/faults", json={"vendor": "nowhere", "status": 500}).status_code == 404
    assert sandbox.post("/sandbox/faults", json={"vendor": "braze", "statu": 500}).status_code == 422


def test_emptying_one_vendor_leaves_the_others(sandbox: httpx.Client) -> None:
    track(sandbox)
    sandbox.delete("/sandbox/meta")
    assert held(sandbox) == ["a"]
    sandbox.delete("/sandbox/braze")
    assert sandbox.get("/sandbox/braze").json() == {"vendor": "braze", "requests": 0, "holds": {}}


def test_a_taken_port_is_named_with_its_setting(sandbox_url: str, tmp_path: Path) -> None:
    settings = SandboxSettings(port=int(sandbox_url.rsplit(":", 1)[1]))
    with pytest.raises(PortInUse) as taken:
        serve_sandbox(settings, tmp_path)
    assert "sandbox.port" in taken.value.hint
