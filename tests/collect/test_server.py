"""The real server on a loopback port, its real spool on disk."""

import http.client
import json
import multiprocessing
import socket
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from catchment.collect import CollectSettings
from catchment.collect.log import open_log
from catchment.collect.request import OVERSIZE_HEADER
from catchment.collect.server import serve_collector
from catchment.collect.tracker import PIXEL
from catchment.errors import PortInUse
from catchment.listen import running

TP2 = "/com.snowplowanalytics.snowplow/tp2"
BODY = json.dumps({"schema": "iglu:any", "data": [{"e": "pv"}]})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(**changes) -> CollectSettings:
    return CollectSettings(port=free_port(), max_body_bytes=2_000, **changes)


@contextmanager
def collector(settings: CollectSettings, folder: Path) -> Iterator[None]:
    health = f"http://127.0.0.1:{settings.port}/health"
    with running(serve_collector, settings, folder, health_url=health, name="collector"):
        yield


def ask(settings, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=20)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    settings = settings_for()
    with collector(settings, folder):
        yield settings, folder


def last_payload(site) -> dict:
    log = open_log(*site)
    try:
        return log.read(-1, 10_000).to_pylist()[-1]
    finally:
        log.close()


def test_a_post_is_in_the_log_before_it_is_answered(site):
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "Mozilla",
        "Referer": "https://acme.com/pricing",
        "Host": "collector.acme.com:8080",
    }

    answer, text = ask(site[0], "POST", TP2 + "?a=%20b", BODY, headers)

    payload = last_payload(site)
    assert (answer.status, text) == (200, b"ok")
    assert payload["body"] == BODY.encode()
    assert payload["path"] == TP2
    assert payload["querystring"] == "a=%20b"
    assert payload["content_type"] == "application/json; charset=utf-8"
    assert payload["useragent"] == "Mozilla"
    assert payload["referer_uri"] == "https://acme.com/pricing"
    assert payload["hostname"] == "collector.acme.com"
    assert payload["ip_address"] == "127.0.0.1"
    assert "referer: https://acme.com/pricing" in payload["headers"]


@pytest.mark.parametrize("path", ["/i", "/ice.png", TP2])
def test_a_get_is_kept_and_answered_with_a_pixel(site, path):
    answer, pixel = ask(site[0], "GET", path + "?e=pv&page=caf%C3%A9")

    assert (answer.status, pixel) == (200, PIXEL)
    assert answer.headers["content-type"] == "image/gif"
    assert "no-store" in answer.headers["cache-control"]
    assert last_payload(site)["querystring"] == "e=pv&page=caf%C3%A9"


def test_any_vendor_and_version_is_kept_for_enrichment_to_judge(site):
    answer, _ = ask(site[0], "POST", "/com.mailchimp/v1", "type=subscribe")

    assert answer.status == 200
    assert last_payload(site)["path"] == "/com.mailchimp/v1"


@pytest.mark.parametrize("path", ["/", "/one", "/one/two/three", "//two", "/one/"])
def test_other_paths_are_not_found_and_not_kept(site, path):
    before = last_payload(site) if path != "/" else None

    answer, _ = ask(site[0], "POST", path, BODY)

    assert answer.status == 404
    assert before is None or last_payload(site) == before


def test_a_new_visitor_gets_a_cookie_that_third_party_pages_send_back(site):
    answer, _ = ask(site[0], "POST", TP2, BODY)

    cookie = answer.headers["set-cookie"]
    visitor = last_payload(site)["network_userid"]
    assert uuid.UUID(visitor).version == 4
    assert cookie == f"sp={visitor}; Max-Age=31536000; Path=/; SameSite=None; Secure; HttpOnly"


def test_a_returning_visitor_keeps_the_cookie_even_among_broken_ones(site):
    visitor = str(uuid.uuid4())

    answer, _ = ask(site[0], "GET", "/i?e=pv", headers={"Cookie": f'bad="a b[; sp={visitor}'})

    assert f"sp={visitor};" in answer.headers["set-cookie"]
    assert last_payload(site)["network_userid"] == visitor


def test_a_garbled_cookie_is_replaced(site):
    ask(site[0], "GET", "/i?e=pv", headers={"Cookie": "sp=garbled"})

    assert uuid.UUID(last_payload(site)["network_userid"])


def test_an_anonymous_request_leaves_no_trace_of_who_it_was(site):
    headers = {"SP-Anonymous": "*", "Cookie": f"sp={uuid.uuid4()}", "X-Forwarded-For": "203.0.113.9"}

    answer, _ = ask(site[0], "POST", TP2, BODY, headers)

    payload = last_payload(site)
    assert answer.status == 200
    assert "set-cookie" not in answer.headers
    assert payload["network_userid"] is None
    assert payload["ip_address"] == "unknown"
    assert not [line for line in payload["headers"] if line.startswith(("cookie", "x-forwarded-for"))]


def test_the_visitors_address_is_the_first_that_was_forwarded(site):
    ask(site[0], "POST", TP2, BODY, {"X-Forwarded-For": "203.0.113.9, 10.0.0.1"})

    assert last_payload(site)["ip_address"] == "203.0.113.9"


def test_the_origin_is_echoed_with_credentials(site):
    answer, _ = ask(site[0], "POST", TP2, BODY, {"Origin": "https://www.acme.com"})

    assert answer.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_a_preflight_allows_what_trackers_send(site):
    answer, _ = ask(site[0], "OPTIONS", TP2, headers={"Origin": "https://www.acme.com"})

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert answer.headers["access-control-allow-headers"] == "Content-Type, SP-Anonymous"
    assert answer.headers["access-control-max-age"] == "3600"


def test_a_body_that_is_too_long_is_kept_cut_with_its_true_length(site):
    body = "x" * 300_000

    answer, _ = ask(site[0], "POST", TP2, body, {OVERSIZE_HEADER: "7"})

    payload = last_payload(site)
    assert answer.status == 200
    assert len(payload["body"]) == 2_000
    assert [line for line in payload["headers"] if OVERSIZE_HEADER in line] == [f"{OVERSIZE_HEADER}: 300000"]


def test_a_header_that_is_no_utf8_does_not_cost_the_event(site):
    answer, _ = ask(site[0], "POST", TP2, BODY, {"User-Agent": b"caf\xe9"})

    assert answer.status == 200


def test_killing_the_collector_after_its_answer_loses_nothing(tmp_path):
    settings = settings_for()
    bodies = [f"payload {number}" for number in range(20)]

    with collector(settings, tmp_path):
        for body in bodies:
            answer, _ = ask(settings, "POST", TP2, body)
            assert answer.status == 200
        [child] = [child for child in multiprocessing.active_children() if child.name == "collector"][-1:]
        child.kill()
        child.join()

    log = open_log(settings, tmp_path)
    assert [body.decode() for body in log.read(-1, 100)["body"].to_pylist()] == bodies
    log.close()


def test_stopping_the_collector_is_a_clean_exit_even_with_an_idle_connection(tmp_path):
    settings = settings_for()
    with collector(settings, tmp_path):
        idle = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=5)
        idle.request("GET", "/i?e=pv")
        idle.getresponse().read()
        [child] = [child for child in multiprocessing.active_children() if child.name == "collector"][-1:]
        child.terminate()
        child.join(timeout=10)
        idle.close()
        assert child.exitcode == 0


def test_a_spool_that_another_program_holds_is_a_503_and_health_says_why(tmp_path):
    settings = settings_for(log={"type": "spool", "folder": "spool", "timeout_s": 0.4})
    with collector(settings, tmp_path):
        holder = sqlite3.connect(tmp_path / "spool" / "spool.db", isolation_level=None)
        holder.execute("begin immediate")
        refused, _ = ask(settings, "POST", TP2, BODY, {"Origin": "https://www.acme.com"})
        health, reason = ask(settings, "GET", "/health")
        holder.execute("rollback")
        holder.close()
        mended, _ = ask(settings, "POST", TP2, BODY)

    assert refused.status == 503
    assert refused.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert "set-cookie" not in refused.headers
    assert health.status == 503
    assert b"spool.db" in reason
    assert mended.status == 200


def test_a_spool_folder_that_cannot_be_written_is_a_503_and_health_names_it(tmp_path):
    (tmp_path / "spool").write_text("a file where the folder should be")
    settings = settings_for(log={"type": "spool", "folder": "spool"})
    child = multiprocessing.get_context("spawn").Process(target=serve_collector, args=(settings, tmp_path))
    child.start()
    try:
        answer, reason = ask_until_it_listens(settings, child)
        refused, _ = ask(settings, "POST", TP2, BODY)
    finally:
        child.terminate()
        child.join()

    assert answer.status == 503
    assert str(tmp_path / "spool") in reason.decode()
    assert refused.status == 503


def ask_until_it_listens(settings, child):
    while True:
        assert child.is_alive()
        try:
            return ask(settings, "GET", "/health")
        except ConnectionRefusedError:
            child.join(timeout=0.05)


def test_a_port_in_use_is_named_with_its_setting(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = CollectSettings(port=other.getsockname()[1])

        with pytest.raises(PortInUse) as raised:
            serve_collector(settings, tmp_path)

    assert str(settings.port) in str(raised.value)
    assert "collect.port" in raised.value.hint
