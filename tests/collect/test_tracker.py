"""What trackers send, and what they get back."""

import json

import pytest

from catchment.collect.tracker import PIXEL
from tests.collect.site import TP2

BODY = json.dumps({"schema": "iglu:any", "data": [{"e": "pv"}]})


def test_a_post_is_in_the_log_before_it_is_answered(site):
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "Mozilla",
        "Referer": "https://acme.com/pricing",
        "Host": "collector.acme.com:8080",
    }

    reply = site.ask("POST", TP2 + "?a=%20b", BODY, headers)

    payload = site.last()
    assert (reply.status, reply.body) == (200, b"ok")
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
    reply = site.ask("GET", path + "?e=pv&page=caf%C3%A9")

    assert (reply.status, reply.body) == (200, PIXEL)
    assert reply.headers["content-type"] == "image/gif"
    assert "no-store" in reply.headers["cache-control"]
    assert site.last()["querystring"] == "e=pv&page=caf%C3%A9"


def test_the_pixel_is_a_transparent_gif_of_one_dot():
    assert len(PIXEL) == 43
    assert PIXEL[:10] == b"GIF89a\x01\x00\x01\x00"


@pytest.mark.parametrize("path", ["/i", "/com.mailchimp/v1"])
def test_a_head_is_kept_as_a_get_and_answered_without_a_body(site, path):
    before = site.count()

    reply = site.ask("HEAD", path + "?e=pv")

    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-type"] == "image/gif"
    assert site.count() == before + 1


@pytest.mark.parametrize(
    "query",
    ["a=%zz%E9&&=&a=%00", "a?b=?c", "a=1&a=2;b", "u=http://x/?y=%25&z=caf\u00e9", "%", "+ +".replace(" ", "%20")],
)
def test_a_query_string_is_kept_byte_for_byte(site, query):
    answer = site.send(b"GET /i?" + query.encode() + b"#not-this HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200")
    assert site.last()["querystring"] == query


def test_any_vendor_and_version_is_kept_for_enrichment_to_judge(site):
    reply = site.ask("POST", "/com.mailchimp/v1", "type=subscribe")

    assert reply.status == 200
    assert site.last()["path"] == "/com.mailchimp/v1"


def test_a_batch_may_come_to_the_pixels_path(site):
    reply = site.ask("POST", "/i", BODY)

    assert (reply.status, reply.body) == (200, b"ok")
    assert (site.last()["path"], site.last()["body"]) == ("/i", BODY.encode())


def test_a_path_of_ones_own_is_kept_as_the_path_it_stands_for(full_site):
    posted = full_site.ask("POST", "/shop/hello", BODY)
    by_post = full_site.last()
    got = full_site.ask("GET", "/dot?e=pv")
    by_get = full_site.last()

    assert (posted.status, by_post["path"]) == (200, TP2)
    assert (got.body, by_get["path"]) == (PIXEL, "/i")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/", "/one", "/one/two/three", "//two", "/one/", "/r/tp2?u=https://acme.com"])
def test_other_paths_are_not_found_and_not_kept(site, method, path):
    before = site.count()

    reply = site.ask(method, path, BODY)

    assert reply.status == 404
    assert site.count() == before


def test_an_anonymous_request_leaves_no_trace_of_who_it_was(site):
    headers = {
        "SP-Anonymous": "*",
        "Cookie": "sp=33333333-3333-4333-8333-333333333333",
        "X-Forwarded-For": "203.0.113.9",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
        "CF-Connecting-IP": "203.0.113.9",
    }

    reply = site.ask("POST", TP2, BODY, headers)

    payload = site.last()
    assert reply.status == 200
    assert "set-cookie" not in reply.headers
    assert payload["network_userid"] is None
    assert payload["ip_address"] == "unknown"
    assert "203.0.113.9" not in str(payload["headers"])
    assert "33333333" not in str(payload["headers"])


@pytest.mark.parametrize(
    ("headers", "address"),
    [
        ({"X-Forwarded-For": "203.0.113.9, 10.0.0.1"}, "203.0.113.9"),
        ({"X-Forwarded-For": "203.0.113.9:4711"}, "203.0.113.9"),
        ({"X-Forwarded-For": "[2001:db8::1]:4711"}, "2001:db8::1"),
        ({"X-Forwarded-For": "2001:db8::1"}, "2001:db8::1"),
        ({"Forwarded": 'proto=https;for="[2001:db8::2]:99", for=10.0.0.1'}, "2001:db8::2"),
        ({"Forwarded": "for=203.0.113.7;by=10.0.0.1"}, "203.0.113.7"),
        ({"X-Real-IP": "203.0.113.8"}, "203.0.113.8"),
        ({"X-Forwarded-For": "unknown"}, "127.0.0.1"),
        ({"X-Forwarded-For": "9" * 10_000}, "127.0.0.1"),
    ],
)
def test_the_visitors_address_is_the_first_that_was_forwarded(site, headers, address):
    site.ask("POST", TP2, BODY, headers)

    assert site.last()["ip_address"] == address


def test_where_no_proxy_is_trusted_the_address_is_the_other_ends(full_site):
    full_site.ask("POST", TP2, BODY, {"X-Forwarded-For": "203.0.113.9"})

    assert full_site.last()["ip_address"] == "127.0.0.1"


@pytest.mark.parametrize(("method", "path"), [("POST", TP2), ("GET", "/i?e=pv")])
def test_the_origin_is_echoed_with_credentials(site, method, path):
    reply = site.ask(method, path, BODY, {"Origin": "https://www.acme.com"})

    assert reply.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert reply.headers["vary"] == "origin"


def test_without_an_origin_any_is_allowed(site):
    assert site.ask("POST", TP2, BODY).headers["access-control-allow-origin"] == "*"


def test_answers_carry_p3p_unless_the_settings_say_no(site, full_site):
    assert 'CP="NOI DSP' in site.ask("POST", TP2, BODY).headers["p3p"]
    assert full_site.ask("POST", TP2, BODY).headers["p3p"] is None


@pytest.mark.parametrize("value", ["yes", "1"])
@pytest.mark.parametrize(("method", "path"), [("POST", TP2), ("GET", "/i?e=pv")])
def test_who_refuses_to_be_tracked_is_answered_as_ever_and_not_kept(full_site, method, path, value):
    before = full_site.count()

    reply = full_site.ask(method, path, BODY, {"Cookie": f"a=b; optout={value}"})

    assert reply.status == 200
    assert reply.body == (b"ok" if method == "POST" else PIXEL)
    assert reply.headers["set-cookie"] is None
    assert full_site.count() == before


@pytest.mark.parametrize("cookie", ["optout=yesterday", "optout=no", "opt=yes", "xoptout=1"])
def test_another_value_is_no_refusal(full_site, cookie):
    before = full_site.count()

    full_site.ask("POST", TP2, BODY, {"Cookie": cookie})

    assert full_site.count() == before + 1


@pytest.mark.parametrize("value", [b"caf\xe9", "caf\u00e9".encode()])
def test_a_header_that_is_not_ascii_does_not_cost_the_event_and_is_named_in_it(site, value):
    reply = site.ask("POST", TP2, BODY, {"User-Agent": value, "X-Any": "ascii"})

    assert reply.status == 200
    assert site.last()["useragent"] is None
    assert "catchment-unreadable: user-agent" in site.last()["headers"]
    assert "x-any: ascii" in site.last()["headers"]
