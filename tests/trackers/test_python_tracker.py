"""The PyPI package snowplow-tracker, pointed at the collector."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from snowplow_tracker import Emitter, PageView, SelfDescribing, SelfDescribingJson, StructuredEvent, Subject, Tracker

from catchment.project import Project


@pytest.mark.parametrize("method", ["post", "get"])
def test_its_events_arrive(project: Project, arrived: Callable[[set[str]], list[dict[str, Any]]], method: Any) -> None:
    place = urlsplit(project.collector_url)
    emitter = Emitter(place.hostname or "", protocol="http", port=place.port, method=method, batch_size=1)
    subject = Subject().set_platform("srv").set_user_id("u1").set_lang("de")
    tracker = Tracker(namespace="py", emitters=emitter, app_id="billing", subject=subject)
    user = SelfDescribingJson(
        "iglu:com.acme/user/jsonschema/1-0-0", {"email": "ada@example.com", "company": "Größe AG"}
    )
    paper = {"white_paper": "Attribution", "topic": "marketing", "pages": 24}
    tracker.track(PageView("https://acme.example/pricing", "Pricing", context=[user]))
    tracker.track(StructuredEvent("cart", "add", label="team", value=9.5))
    tracker.track(SelfDescribing(SelfDescribingJson("iglu:com.acme/white_paper_downloaded/jsonschema/1-0-0", paper)))
    tracker.flush()
    rows = {row["event_name"]: row for row in arrived({"page_view", "event", "white_paper_downloaded"})}
    assert all((row["app_id"], row["user_id"], row["platform"]) == ("billing", "u1", "srv") for row in rows.values())
    assert rows["page_view"]["contexts_com_acme_user_1"][0]["company"] == "Größe AG"
    assert rows["page_view"]["page_urlhost"] == "acme.example"
    assert (rows["event"]["se_category"], rows["event"]["se_value"]) == ("cart", 9.5)
    assert rows["white_paper_downloaded"]["unstruct_event_com_acme_white_paper_downloaded_1"]["pages"] == 24
