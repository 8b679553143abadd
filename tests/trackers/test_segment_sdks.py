"""The SDKs of Segment and RudderStack, from npm in Chromium and from PyPI, told no more than our address."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import rudderstack.analytics.client
import segment.analytics.client
from playwright.sync_api import Page

from catchment.project import Project
from tests.trackers.conftest import CHROMIUM, serving

SITE = Path(__file__).parent / "site"
CALLS = {"page_view", "identify", "track", "group", "alias"}
SPEC = "unstruct_event_com_segment_spec_"
Arrived = Callable[[set[str]], list[dict[str, Any]]]

in_browser = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (SITE / "node_modules").is_dir(), reason="tests/trackers/site has no node_modules (npm ci)"),
]


def marked(*values: Any) -> Any:
    return pytest.param(*values, marks=in_browser)


@pytest.fixture
def site() -> Iterator[str]:
    with serving(SITE) as address:
        yield address


def visit(page: Page, site: str, name: str, collector: str) -> tuple[list[str], set[str]]:
    """Open a page; give what went wrong on it, and the hosts that it spoke to."""
    problems: list[str] = []
    hosts: set[str] = set()
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: hosts.add("/".join(request.url.split("/")[:3])))
    page.goto(f"{site}/{name}collector={collector}&utm_source=news&utm_medium=email")
    page.wait_for_timeout(500)
    return problems, hosts


@pytest.mark.parametrize(
    ("name", "tracker", "calls"),
    [
        marked("segment.html?", "analytics.js-next-1", CALLS | {"screen"}),
        marked("rudderstack.html?", "RudderLabs JavaScript SDK-3", CALLS),
        marked("rudderstack.html?beacon=1&", "RudderLabs JavaScript SDK-3", CALLS),
    ],
)
def test_what_a_browser_sends_arrives_field_by_field(
    project: Project, arrived: Arrived, site: str, page: Page, name: str, tracker: str, calls: set[str]
) -> None:  # fmt: skip
    problems, hosts = visit(page, site, name, project.collector_url)
    if "beacon" in name:
        page.goto("about:blank")  # what waits is sent as the page is left
    rows = arrived(calls)
    assert problems == []
    assert hosts == {site, project.collector_url}
    by_name = {row["event_name"]: row for row in rows}
    assert (len(rows), len({row["event_id"] for row in rows})) == (len(calls), len(calls))
    for row in rows:
        assert (row["app_id"], row["platform"], row["br_lang"]) == ("site", "web", "en-GB")
        assert row["v_tracker"].startswith(tracker)
        assert (row["page_urlpath"], row["page_title"]) == (f"/{name.split('?')[0]}", "Acme pricing")
        assert (row["mkt_source"], row["mkt_medium"]) == ("news", "email")
        assert row["domain_userid"] == rows[0]["domain_userid"] is not None
        assert row["network_userid"] is None
        assert row["useragent"].startswith("Mozilla/5.0")
        assert row["user_ipaddress"] == "127.0.0.1"
        assert abs((row["derived_tstamp"] - row["collector_tstamp"]).total_seconds()) < 60
        (context,) = row["contexts_com_segment_spec_context_1"]
        assert (context["source"], context["campaign"]["source"]) == ("site", "news")
    check_calls(by_name)
    (page_entity,) = by_name["page_view"]["contexts_com_segment_spec_page_1"]
    assert (page_entity["category"], page_entity["name"]) == ("Docs", "Pricing")
    assert json.loads(page_entity["properties"])["theme"] == "dark"
    assert len(by_name["page_view"]["contexts_com_snowplowanalytics_snowplow_web_page_1"][0]["id"]) == 36


def check_calls(by_name: dict[str, dict[str, Any]]) -> None:
    """Check what the same five calls say, whichever SDK made them."""
    (traits,) = by_name["identify"]["contexts_com_segment_spec_traits_1"]
    assert (traits["email"], traits["first_name"], json.loads(traits["other"])) == (
        "ada@example.com",
        "Ada",
        {"pets": 2},
    )
    assert {by_name[name]["user_id"] for name in ("identify", "track", "group")} == {"ada"}
    order = by_name["track"][f"{SPEC}track_1"]
    assert (order["event"], order["revenue"], order["currency"]) == ("Order Completed", 9.5, "EUR")
    assert json.loads(order["properties"])["products"] == [{"sku": "a"}]
    group = by_name["group"][f"{SPEC}group_1"]
    assert (group["group_id"], json.loads(group["traits"])) == ("acme", {"name": "Acme"})
    assert by_name["alias"][f"{SPEC}alias_1"]["previous_id"] == "ada"


@pytest.mark.parametrize(
    ("client", "gzip"),
    [
        (segment.analytics.client.Client, False),
        (segment.analytics.client.Client, True),
        (rudderstack.analytics.client.Client, True),
    ],
)
def test_what_a_server_sends_arrives_field_by_field(
    project: Project, arrived: Arrived, client: Any, gzip: bool
) -> None:
    problems: list[Any] = []
    sdk = client(
        "server-key",
        host=project.collector_url,
        gzip=gzip,
        max_retries=0,
        on_error=lambda error, items: problems.append(error),
    )
    context = {"ip": "198.18.0.9", "userAgent": "Mozilla/5.0 (Macintosh)"}
    sdk.identify("ada", {"email": "ada@example.com", "firstName": "Ada", "pets": 2}, anonymous_id="a1")
    order = {"revenue": 9.5, "currency": "EUR", "products": [{"sku": "a"}]}
    sdk.track("ada", "Order Completed", order, context=context)
    sdk.page("ada", "Docs", "Pricing", {"url": "https://acme.example/pricing", "title": "Pricing"})
    sdk.group("ada", "acme", {"name": "Acme"})
    sdk.alias("ada", "ada-2")
    sdk.screen("ada", "App", "Home")
    sdk.flush()
    sdk.join()
    assert problems == []
    by_name = {row["event_name"]: row for row in arrived(CALLS | {"screen"})}
    check_calls(by_name)
    assert {row["app_id"] for row in by_name.values()} == {"shop"}
    assert (by_name["track"]["user_ipaddress"], by_name["track"]["useragent"]) == (
        "198.18.0.9",
        "Mozilla/5.0 (Macintosh)",
    )
    assert (by_name["group"]["user_ipaddress"], by_name["group"]["platform"]) == ("unknown", "srv")
    assert by_name["identify"]["domain_userid"] == "a1"
    assert (by_name["page_view"]["page_urlhost"], by_name["page_view"]["page_title"]) == ("acme.example", "Pricing")
    assert by_name["screen"][f"{SPEC}screen_1"]["name"] == "Home"


@pytest.mark.filterwarnings("default")  # dbt leaves its log open
def test_whom_an_sdk_of_segment_identifies_is_a_person_of_the_models(project: Project) -> None:
    page = {"url": "https://acme.example/pricing?utm_source=news&utm_medium=email", "title": "Pricing"}
    agent = "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:91.0) Gecko/20100101 Firefox/91.0"
    context = {"page": page, "library": {"name": "analytics.js"}, "userAgent": agent}
    about = {"anonymousId": "a1", "context": context}
    calls = [
        {"type": "page", "properties": page},
        {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}},
        {"type": "track", "userId": "ada", "event": "Order Completed", "properties": {"revenue": 9.5}},
    ]
    body = {"batch": [{**about, **call} for call in calls], "writeKey": "browser-key"}
    asked = Request(f"{project.collector_url}/v1/batch", json.dumps(body).encode(), {"Content-Type": "text/plain"})
    with urlopen(asked, timeout=30) as answer:
        assert answer.status == 200
    settings = project.folder / "catchment.yml"
    settings.write_text(settings.read_text().replace("contexts_com_acme_user_1", "contexts_com_segment_spec_traits_1"))
    project = Project.open(project.folder)
    project.enrich()
    project.build()
    (person,) = project.lake.read("people").to_pylist()
    assert (person["user_id"], person["email"], person["sessions"]) == ("ada", "ada@example.com", 1)
    (session,) = project.lake.read("sessions").to_pylist()
    assert (session["mkt_source"], session["page_views"], session["total_events"]) == ("news", 1, 3)
