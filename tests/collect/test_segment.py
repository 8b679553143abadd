"""Segment's HTTP API and RudderStack's settings, as their SDKs ask for them."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from catchment.collect.tracker import PIXEL
from tests.collect.site import MAX_BODY_BYTES, serving, settings_for

CALL = {"userId": "u1", "event": "Order Completed"}
ORIGIN = {"Origin": "https://acme.example"}


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A collector that takes two write keys and no other."""
    settings = settings_for(write_keys={"site": "browser-key", "shop": "server-key"})
    with serving(settings, tmp_path_factory.mktemp("keyed")) as site:
        yield site


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/track", "/v1/identify", "/v1/page", "/v1/screen", "/v1/group", "/v1/alias", "/v1/batch", "/v1/import"),
        *("/v1/t", "/v1/i", "/v1/p", "/v1/s", "/v1/g", "/v1/a", "/v1/b", "/beacon/v1/batch"),
    ],
)
def test_a_call_is_in_the_log_before_it_is_answered(site: Any, path: str) -> None:
    reply = site.ask("POST", path, json.dumps(CALL), {"Content-Type": "text/plain", **ORIGIN})
    assert (reply.status, json.loads(reply.body)) == (200, {"success": True})
    assert reply.headers["access-control-allow-origin"] == "https://acme.example"
    assert reply.headers["set-cookie"] is None
    payload = site.last()
    assert (payload["path"], json.loads(payload["body"]), payload["network_userid"]) == (path, CALL, None)


def test_the_preflight_allows_what_an_sdk_asks_to_send(site: Any) -> None:
    asked = {**ORIGIN, "Access-Control-Request-Headers": "anonymousid,authorization,content-type,x-retry-count"}
    reply = site.ask("OPTIONS", "/v1/batch", headers=asked)
    assert (reply.status, reply.headers["access-control-allow-headers"]) == (
        200,
        asked["Access-Control-Request-Headers"],
    )
    strange = {**ORIGIN, "Access-Control-Request-Headers": "x<script>"}
    assert "script" not in site.ask("OPTIONS", "/v1/t", headers=strange).headers["access-control-allow-headers"]


@pytest.mark.parametrize(
    ("path", "headers", "more", "status"),
    [
        ("/v1/track", basic("browser-key"), {}, 200),
        ("/v1/track", {}, {"writeKey": "browser-key"}, 200),
        ("/v1/track", {"Authorization": "Bearer token"}, {"writeKey": "browser-key"}, 200),
        ("/beacon/v1/batch?writeKey=browser-key", {}, {}, 200),
        ("/v1/track", basic("wrong"), {"writeKey": "browser-key"}, 401),
        ("/v1/track", {}, {"writeKey": "wrong"}, 401),
        ("/v1/track", {"Authorization": "Basic ***"}, {}, 401),
        ("/v1/track", {}, {}, 401),
    ],
)
def test_only_known_write_keys_are_taken_where_there_are_any(
    keyed: Any, path: str, headers: dict[str, str], more: dict[str, str], status: int
) -> None:
    before = keyed.count()
    reply = keyed.ask("POST", path, json.dumps({**CALL, **more}), {**headers, **ORIGIN})
    assert (reply.status, json.loads(reply.body)["success"]) == (status, status == 200)
    assert reply.headers["access-control-allow-origin"] == "https://acme.example"
    assert keyed.count() == before + (status == 200)
    if status == 200:
        payload = keyed.last()
        assert "catchment-source: site" in payload["headers"]
        told = [header for header in payload["headers"] if header.startswith(("authorization", "Authorization"))]
        assert (told, payload["querystring"]) == ([], None)


def test_nobody_can_claim_to_be_a_source(site: Any) -> None:
    site.ask("POST", "/v1/track", json.dumps(CALL), {"catchment-source": "site"})
    assert not [header for header in site.last()["headers"] if header.startswith("catchment-source")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"a": "' + b"x" * MAX_BODY_BYTES + b'"}'])
def test_what_cannot_be_read_is_kept_and_refused_so_that_no_sdk_sends_it_again(site: Any, body: bytes) -> None:
    before = site.count()
    reply = site.ask("POST", "/v1/batch", body)
    assert (reply.status, json.loads(reply.body)["success"]) == (400, False)
    assert site.count() == before + 1
    assert (site.last()["body"] or b"") == body[:MAX_BODY_BYTES]


def test_a_picture_carries_a_call(keyed: Any) -> None:
    data = base64.b64encode(json.dumps({**CALL, "writeKey": "server-key"}).encode()).decode()
    reply = keyed.ask("GET", f"/v1/pixel/track?data={data}")
    assert (reply.status, reply.body) == (200, PIXEL)
    assert keyed.last()["path"] == "/v1/pixel/track"
    assert "catchment-source: shop" in keyed.last()["headers"]
    assert keyed.ask("GET", "/v1/pixel/track?data=e30=").status == 401


def test_analytics_js_is_told_to_send_to_the_host_that_it_asked(keyed: Any) -> None:
    headers = {"Host": "events.acme.example", "X-Forwarded-Proto": "https", **ORIGIN}
    reply = keyed.ask("GET", "/v1/projects/browser-key/settings", headers=headers)
    segment = json.loads(reply.body)["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"], segment["apiKey"]) == (
        "events.acme.example/v1",
        "https",
        "browser-key",
    )
    assert reply.headers["access-control-allow-origin"] == "https://acme.example"
    assert keyed.ask("GET", "/v1/projects/wrong/settings").status == 404


@pytest.mark.parametrize("path", ["/sourceConfig", "/sourceConfig/", "/cdp/sourceConfig", "/cdp/sourceConfig/"])
def test_an_sdk_of_rudderstack_is_told_that_its_source_is_on(keyed: Any, path: str) -> None:
    reply = keyed.ask("GET", f"{path}?p=npm&v=3.34.1&writeKey=browser-key", headers=ORIGIN)
    source = json.loads(reply.body)["source"]
    assert (reply.status, source["enabled"], source["name"], source["destinations"]) == (200, True, "site", [])
    assert source["config"]["statsCollection"]["errors"]["enabled"] is False
    assert keyed.ask("GET", path, headers=basic("server-key")).status == 200
    assert keyed.ask("GET", path, headers=basic("wrong")).status == 401
    asked = {**ORIGIN, "Access-Control-Request-Headers": "authorization"}
    assert "Authorization" in keyed.ask("OPTIONS", path, headers=asked).headers["access-control-allow-headers"]


def test_a_visitor_who_refuses_is_answered_and_not_kept(tmp_path: Path) -> None:
    with serving(settings_for(do_not_track={"name": "dnt", "value": "1"}), tmp_path) as site:
        reply = site.ask("POST", "/v1/track", json.dumps(CALL), {"Cookie": "dnt=1; sp=x"})
        assert (reply.status, site.count()) == (200, 0)
