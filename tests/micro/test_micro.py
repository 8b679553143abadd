"""A tracker's test suite asks Micro what came, as Snowplow documents it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from catchment.collect import CollectSettings
from catchment.listen import running
from catchment.micro import MicroOptions
from catchment.micro.server import serve_micro
from catchment.project import examples_folder
from tests.collect.site import TP2, Site
from tests.ports import free_port
from tests.trackers.conftest import CHROMIUM, page, serving

__all__ = ["page"]

PAYLOAD = "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4"
CONTEXTS = "iglu:com.snowplowanalytics.snowplow/contexts/jsonschema/1-0-0"
UNSTRUCT = "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0"
WEB_PAGE = "iglu:com.snowplowanalytics.snowplow/web_page/jsonschema/1-0-0"
LINK_CLICK = "iglu:com.snowplowanalytics.snowplow/link_click/jsonschema/1-0-1"
VIEW = "f3a1d4a0-6d2e-4d3b-9f5e-0d8f6b1f0d10"
FIREFOX = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0"
CART = "iglu:com.acme/cart_action/jsonschema/1-0-0"
PAGE_SITE = examples_folder() / "site"


class Micro(NamedTuple):
    site: Site

    def send(self, *events: dict[str, Any], query: str = "", **headers: str) -> None:
        body = json.dumps({"schema": PAYLOAD, "data": events})
        reply = self.site.ask("POST", TP2 + query, body, {"Content-Type": "application/json", **headers})
        assert reply.status == 200

    def ask(self, path: str, question: Any = None, **query: str) -> Any:
        method = "GET" if question is None else "POST"
        body = None if question is None else json.dumps(question)
        address = f"/micro/{path}?{urlencode(query)}" if query else f"/micro/{path}"
        reply = self.site.ask(method, address, body, {"Content-Type": "application/json"})
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.site.settings.port}"


def event(**parameters: str) -> dict[str, str]:
    return {"e": "pv", "p": "web", "tv": "js-4.6.8", "url": "https://acme.example/", **parameters}


def click(target: str, **parameters: str) -> dict[str, str]:
    inner = {"schema": LINK_CLICK, "data": {"targetUrl": target}}
    return event(e="ue", ue_pr=json.dumps({"schema": UNSTRUCT, "data": inner}), **parameters)


def with_page(**parameters: str) -> dict[str, str]:
    items = [{"schema": WEB_PAGE, "data": {"id": VIEW}}]
    return event(co=json.dumps({"schema": CONTEXTS, "data": items}), **parameters)


@contextmanager
def started(folder: Path, **options: Any) -> Iterator[Micro]:
    settings = CollectSettings(port=free_port())
    health = f"http://127.0.0.1:{settings.port}/health"
    chosen = MicroOptions(port=settings.port, **options)
    with running(serve_micro, folder, chosen, health_url=health, name="micro"):
        yield Micro(Site(settings, folder))


@pytest.fixture(scope="module")
def running_micro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Micro]:
    with started(tmp_path_factory.mktemp("micro")) as micro:
        yield micro


@pytest.fixture
def micro(running_micro: Micro) -> Micro:
    running_micro.ask("reset")
    return running_micro


def test_what_came_is_counted_at_once_and_forgotten_by_a_reset(micro: Micro) -> None:
    micro.send(event(), event(), event(e="nonsense"))
    assert micro.ask("all") == {"total": 3, "good": 2, "bad": 1}
    assert micro.ask("all", {}) == {"total": 3, "good": 2, "bad": 1}
    assert micro.ask("reset", {}) == {"total": 0, "good": 0, "bad": 0}
    assert (micro.ask("good"), micro.ask("bad")) == ([], [])


def test_a_good_event_has_the_shape_that_micro_documents(micro: Micro) -> None:
    micro.send(with_page(aid="shop", vid="3", res="1920x1080"), **{"User-Agent": FIREFOX})
    (good,) = micro.ask("good")
    assert set(good) == {"rawEvent", "eventType", "schema", "contexts", "event"}
    raw = good["rawEvent"]
    assert set(raw) == {"api", "parameters", "contentType", "source", "context"}
    assert raw["api"] == {"vendor": "com.snowplowanalytics.snowplow", "version": "tp2"}
    assert (raw["parameters"]["aid"], raw["contentType"]) == ("shop", "application/json")
    assert set(raw["context"]) == {"timestamp", "ipAddress", "useragent", "refererUri", "headers", "userId"}
    assert (good["eventType"], good["contexts"]) == ("page_view", [WEB_PAGE])
    assert good["schema"] == "iglu:com.snowplowanalytics.snowplow/page_view/jsonschema/1-0-0"
    enriched = good["event"]
    assert len(enriched) == 131
    assert (enriched["app_id"], enriched["domain_sessionidx"], enriched["dvce_screenwidth"]) == ("shop", 3, 1920)
    assert enriched["contexts"] == {"schema": CONTEXTS, "data": [{"schema": WEB_PAGE, "data": {"id": VIEW}}]}
    assert enriched["collector_tstamp"].endswith("Z") and len(enriched["collector_tstamp"]) == 24
    derived = {entity["schema"]: entity["data"] for entity in enriched["derived_contexts"]["data"]}
    agent = derived["iglu:com.snowplowanalytics.snowplow/ua_parser_context/jsonschema/1-0-0"]
    assert agent["useragentFamily"] == "Firefox"


def test_a_bad_event_says_what_was_sent_and_what_is_wrong(micro: Micro) -> None:
    micro.send(click("x", p="fridge"))
    micro.site.ask("POST", "/com.nobody/v9?a=b", b"whatever")
    unknown, broken = micro.ask("bad")
    assert broken["collectorPayload"]["api"]["version"] == "tp2"
    assert json.loads(broken["collectorPayload"]["body"])["schema"] == PAYLOAD
    assert broken["rawEvent"]["parameters"]["p"] == "fridge"
    assert "p: one of web" in broken["errors"][0]
    assert unknown["rawEvent"] is None
    assert unknown["collectorPayload"]["querystring"] == [{"name": "a", "value": "b"}]
    assert unknown["errors"] == ["adapter_failures: No adapter knows the path /com.nobody/v9."]
    assert micro.ask("bad", {"vendor": "com.nobody", "version": "v9"}) == [unknown]
    assert micro.ask("bad", {"vendor": "com.nobody", "version": "v1"}) == []
    assert micro.ask("bad", {"limit": 1}) == [unknown]


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ({}, ["c", "b", "a"]),
        ({"limit": 2}, ["c", "b"]),
        ({"event_type": "pv"}, ["b", "a"]),
        ({"event_type": "page_view"}, ["b", "a"]),
        ({"event_type": "ue"}, ["c"]),
        ({"schema": LINK_CLICK}, ["c"]),
        ({"schema": LINK_CLICK.removeprefix("iglu:")}, ["c"]),
        ({"schema": LINK_CLICK.replace("1-0-1", "1-0-0")}, []),
        ({"contexts": [WEB_PAGE]}, ["b"]),
        ({"contexts": [WEB_PAGE.removeprefix("iglu:")], "event_type": "pv", "limit": 10}, ["b"]),
        ({"contexts": [WEB_PAGE, LINK_CLICK]}, []),
        ({"eventType": "ignored, as Micro does"}, ["c", "b", "a"]),
    ],
)
def test_good_events_are_filtered_as_micro_filters_them(micro: Micro, question: Any, ids: list[str]) -> None:
    micro.send(event(tna="a"), with_page(tna="b"), click("https://x", tna="c"))
    assert [good["event"]["name_tracker"] for good in micro.ask("good", question)] == ids


def test_tests_that_run_side_by_side_see_and_forget_only_their_own(micro: Micro) -> None:
    one = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    micro.send(event(eid=one), query="?test_id=query")
    micro.send(event(), Cookie="other=1; test_id=cookie")
    micro.send(event(url="https://acme.example/?a=1&test_id=page"))
    micro.send(event(aid="app"), event(aid="app", e="nonsense"))
    for test_id in ("query", "cookie", "page"):
        assert micro.ask("all", test_id=test_id) == {"total": 1, "good": 1, "bad": 0}
    assert micro.ask("all", {"test_id": "app"}) == {"total": 2, "good": 1, "bad": 1}
    assert len(micro.ask("bad", app_id="app")) == 1
    assert [good["event"]["event_id"] for good in micro.ask("good", event_id=one)] == [one]
    assert micro.ask("reset", test_id="app") == {"total": 0, "good": 0, "bad": 0}
    assert micro.ask("all") == {"total": 3, "good": 3, "bad": 0}


def test_events_are_paged_sorted_and_filtered_by_column(micro: Micro) -> None:
    micro.send(*(event(aid=f"Shop-{number}", vid=str(number)) for number in (2, 10, 1)), event(aid="blog", e="x"))
    page = {"page": 1, "pageSize": 2, "filters": [{"column": "app_id", "values": ["shop"]}]}
    by_number = micro.ask("events", page | {"sorting": {"column": "domain_sessionidx", "desc": True}})
    assert [each["domain_sessionidx"] for each in by_number["events"]] == [10, 2]
    assert (by_number["totalPages"], by_number["totalItems"]) == (2, 3)
    older_form = micro.ask("events", {"page": 1, "pageSize": 9, "filters": [{"column": "app_id", "value": "P-1"}]})
    assert {each["app_id"] for each in older_form["events"]} == {"Shop-1", "Shop-10"}
    (failed,) = micro.ask("events", {"page": 1, "pageSize": 9, "filters": [], "validEvents": False})["events"]
    assert failed["app_id"] == "blog"
    assert failed["contexts_com_snowplowanalytics_snowplow_failure_1"][0]["failureType"] == "schema_violations"
    later = {"page": 1, "pageSize": 9, "filters": [], "timeRange": {"start": "2100-01-01T00:00:00Z", "end": None}}
    assert micro.ask("events", later) == {"events": [], "totalPages": 0, "totalItems": 0}
    ever = {"start": "2000-01-01T00:00:00Z", "end": "2100-01-01T00:00:00Z"}
    never = {"start": "2000-01-01T00:00:00Z", "end": "2000-01-02T00:00:00Z"}
    assert micro.ask("timeline", {"buckets": [ever, never]}) == {
        "points": [
            {"validEvents": 3, "failedEvents": 1, "bucket": ever},
            {"validEvents": 0, "failedEvents": 0, "bucket": never},
        ]
    }


def test_the_flat_form_has_one_key_for_each_schema(micro: Micro) -> None:
    micro.send(click("https://x", co=with_page()["co"]))
    (flat,) = micro.ask("events", {"page": 1, "pageSize": 1, "filters": []})["events"]
    assert flat["unstruct_event_com_snowplowanalytics_snowplow_link_click_1"] == {"targetUrl": "https://x"}
    assert flat["contexts_com_snowplowanalytics_snowplow_web_page_1"] == [{"id": VIEW}]


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/micro/good", "{", "not JSON"),
        ("/micro/good", "[]", "no JSON object"),
        ("/micro/good", '{"limit": "many"}', "limit"),
        ("/micro/good", '{"contexts": "x"}', "contexts"),
        ("/micro/good", '{"schema": 7}', "schema"),
        ("/micro/events", '{"filters": [{"column": 1}]}', "filters"),
        ("/micro/events", '{"validEvents": "yes"}', "validEvents"),
        ("/micro/events", '{"timeRange": {"start": "soon"}}', "ISO 8601"),
        ("/micro/timeline", '{"buckets": [1]}', "buckets"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told_why(micro: Micro, path: str, body: str, said: str) -> None:
    micro.send(event())
    reply = micro.site.ask("POST", path, body)
    assert (reply.status, said in json.loads(reply.body)["message"]) == (400, True)


def test_schemas_are_shown_and_what_there_is_not_is_404(micro: Micro) -> None:
    path = "iglu/com.snowplowanalytics.snowplow/web_page/jsonschema/"
    assert micro.ask(path + "1-0-0")["self"]["name"] == "web_page"
    for missing in (path + "9-0-0", path + "latest", "nothing"):
        assert micro.site.ask("GET", f"/micro/{missing}").status == 404
    reply = micro.site.ask("OPTIONS", "/micro/good", headers={"Origin": "https://acme.example"})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, "https://acme.example")


def test_its_cookie_is_called_micro_and_it_speaks_every_protocol(micro: Micro) -> None:
    assert micro.site.ask("GET", "/i?e=pv&p=web&tv=x").headers["set-cookie"].startswith("micro=")
    micro.site.ask("POST", "/v1/track", json.dumps({"userId": "u", "event": "Order Completed"}))
    assert [good["event"]["event_name"] for good in micro.ask("good")] == ["track", "page_view"]


def test_a_schema_counts_as_soon_as_its_file_is_there_changed_or_broken(tmp_path: Path) -> None:
    inner = {"schema": CART, "data": {"type": "add"}}
    cart = event(e="ue", ue_pr=json.dumps({"schema": UNSTRUCT, "data": inner}))
    path = tmp_path / "schemas/com.acme/cart_action/jsonschema/1-0-0"

    def outcome(micro: Micro) -> tuple[int, str]:
        micro.ask("reset")
        micro.send(cart)
        bad = micro.ask("bad")
        return micro.ask("all")["good"], bad[0]["errors"][0] if bad else ""

    def write(micro: Micro, text: str) -> tuple[int, str]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return outcome(micro)

    schema = {"type": "object", "properties": {"type": {"type": "string"}}, "additionalProperties": False}
    with started(tmp_path) as micro:
        good, error = outcome(micro)
        assert (good, "No registry has" in error) == (0, True)
        assert write(micro, json.dumps(schema)) == (1, "")
        good, error = write(micro, json.dumps(schema | {"properties": {"type": {"enum": ["drop"]}}}))
        assert (good, "$.type" in error) == (0, True)
        good, error = write(micro, "{ broken")
        assert (good, str(path) in error) == (0, True)
        assert write(micro, json.dumps(schema)) == (1, "")


def test_events_outlive_a_restart_where_that_is_wished_and_never_grow_without_bound(tmp_path: Path) -> None:
    with started(tmp_path, keep=True, max_events=3) as micro:
        micro.send(*(event(tna=str(number)) for number in range(5)), event(e="x"))
        assert micro.ask("all") == {"total": 4, "good": 3, "bad": 1}
    with started(tmp_path, keep=True, max_events=3) as micro:
        assert [good["event"]["name_tracker"] for good in micro.ask("good")] == ["4", "3", "2"]


def test_a_project_brings_its_schemas_and_enrichments(tmp_path: Path) -> None:
    (tmp_path / "catchment.yml").write_text(
        "name: acme\nschemas: {registries: [{type: folder, path: mine}, {type: embedded}]}\n"
        "enrich: {enrichments: [{type: ip_anonymize}]}\n"
    )
    (tmp_path / "mine/com.acme/plan/jsonschema").mkdir(parents=True)
    (tmp_path / "mine/com.acme/plan/jsonschema/1-0-0").write_text('{"type": "object"}')
    (tmp_path / "below").mkdir()
    with started(tmp_path / "below") as micro:
        assert micro.ask("iglu/com.acme/plan/jsonschema/1-0-0") == {"type": "object"}
        micro.send(event(ip="198.18.77.9"))
        (good,) = micro.ask("good")
        assert good["event"]["user_ipaddress"] != "198.18.77.9"
        assert good["rawEvent"]["parameters"]["ip"] == "198.18.77.9"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.skipif(not (PAGE_SITE / "node_modules").is_dir(), reason="examples/site has no node_modules (npm ci)")
def test_the_browser_trackers_page_is_tested_as_micros_pages_show(tmp_path: Path, page: Page) -> None:
    (tmp_path / "schemas").symlink_to(examples_folder() / "saas/schemas")
    with started(tmp_path) as micro, serving(PAGE_SITE) as address:
        page.goto(f"{address}/index.html?collector={micro.address}&test_id=checkout")
        page.click("#download")
        wait_for(page, lambda: len(micro.ask("good", test_id="checkout")) >= 2)
        assert micro.ask("bad") == []
        (view,) = micro.ask("good", {"event_type": "pv", "contexts": [WEB_PAGE], "limit": 10})
        assert (view["event"]["app_id"], view["event"]["page_title"]) == ("acme-site", "Acme pricing")
        paper = "iglu:com.acme/white_paper_downloaded/jsonschema/1-0-0"
        (custom,) = micro.ask("good", {"schema": paper})
        assert custom["event"]["unstruct_event"]["data"]["data"]["pages"] == 24
        page.goto(f"{micro.address}/micro/ui")
        page.get_by_text("white_paper_downloaded").click()
        assert "Attribution for everybody" in page.locator("pre").inner_text()
        page.get_by_role("searchbox").fill("no such thing")
        page.wait_for_function("document.querySelectorAll('tbody tr').length === 0")
        page.get_by_role("button", name="Forget all").click()
        page.get_by_text("0 good, 0 bad").wait_for()


def wait_for(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait, boundedly, for what a page sends in the background."""
    for _ in range(100):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it did not come")
