"""The npm package @snowplow/browser-tracker on a page of examples/, in Chromium."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from catchment.project import Project, examples_folder
from tests.trackers.conftest import CHROMIUM, serving

SITE = examples_folder() / "site"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not (SITE / "node_modules").is_dir(), reason="examples/site has no node_modules (npm ci)"),
]


@pytest.fixture
def site() -> Iterator[str]:
    with serving(SITE) as address:
        yield address


def test_what_a_visitor_does_arrives_field_by_field(
    project: Project, arrived: Callable[[set[str]], list[dict[str, Any]]], site: str, page: Page
) -> None:
    names = {"page_view", "page_ping", "link_click", "submit_form", "white_paper_downloaded"}
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{site}/index.html?collector={project.collector_url}&utm_source=news&utm_medium=email")
    page.click("#docs")
    page.click("#download")
    page.fill("input[name=email]", "ada@example.com")
    page.click("text=Get started")
    page.mouse.move(50, 50)
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(2500)  # the tracker sends its first ping after a second of visit
    rows = arrived(names)
    assert problems == []
    by_name = {row["event_name"]: row for row in reversed(rows)}
    view = by_name["page_view"]
    assert (view["app_id"], view["platform"], view["event"]) == ("acme-site", "web", "page_view")
    assert (view["page_title"], view["page_urlpath"]) == ("Acme pricing", "/index.html")
    assert (view["mkt_source"], view["mkt_medium"]) == ("news", "email")
    assert (view["br_lang"], view["os_timezone"]) == ("en-GB", "Europe/Berlin")
    assert (view["br_viewwidth"], view["br_viewheight"]) == (900, 700)
    assert view["v_tracker"].startswith("js-4")
    assert view["domain_userid"] and view["domain_sessionid"] and view["domain_sessionidx"] == 1
    assert view["network_userid"]
    assert view["user_id"] is None
    assert view["contexts_com_acme_user_1"][0]["email"] == "ada@example.com"
    (web_page,) = view["contexts_com_snowplowanalytics_snowplow_web_page_1"]
    assert len(web_page["id"]) == 36
    pings = [row for row in rows if row["event_name"] == "page_ping"]
    assert all(ping["contexts_com_snowplowanalytics_snowplow_web_page_1"] == [web_page] for ping in pings)
    assert max(ping["pp_yoffset_max"] or 0 for ping in pings) >= 300
    click = by_name["link_click"]["unstruct_event_com_snowplowanalytics_snowplow_link_click_1"]
    assert click["element_id"] == "docs" and click["target_url"].endswith("#documentation")
    form = by_name["submit_form"]["unstruct_event_com_snowplowanalytics_snowplow_submit_form_1"]
    assert form["form_id"] == "get_started"
    custom = by_name["white_paper_downloaded"]
    assert custom["user_id"] == "ada"
    assert custom["unstruct_event_com_acme_white_paper_downloaded_1"] == {
        "white_paper": "Attribution for everybody",
        "topic": "marketing",
        "pages": 24,
    }
    assert len({row["event_id"] for row in rows}) == len(rows)
