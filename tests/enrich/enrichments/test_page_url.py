"""URLs are parted as Snowplow parts them, and none of them costs an event more than its parts."""

from datetime import UTC, datetime

import pytest

from tests.enrich.enrichments.conftest import EnrichOne

PARTS = ("urlscheme", "urlhost", "urlport", "urlpath", "urlquery", "urlfragment")
FAILURE = "contexts_com_snowplowanalytics_snowplow_failure_1"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://u:p@Acme.example/a%20b c?q=%C3%A9#f", ("https", "Acme.example", 443, "/a%20b%20c", "q=%C3%A9", "f")),
        ("http://acme.example:8080", ("http", "acme.example", 8080, None, None, None)),
        ("http://acme.example:0/", ("http", "acme.example", 0, "/", None, None)),
        ("http://[2001:db8::1]:81/", ("http", "[2001:db8::1]", 81, "/", None, None)),
        ("android-app://com.acme", ("android-app", "com.acme", 80, None, None, None)),
        ("file:///tmp/a.html?b#c", ("file", None, None, "/tmp/a.html", "b", "c")),
        ("about:blank", ("about", None, None, None, None, None)),
        ("/pricing?a=1", (None, None, None, "/pricing", "a=1", None)),
    ],
)
def test_a_url_is_parted_and_flags_nothing(enrich_one: EnrichOne, url: str, parts: tuple[object, ...]) -> None:
    row = enrich_one(url=url, refr=url)
    assert tuple(row[f"page_{part}"] for part in PARTS) == parts
    assert tuple(row[f"refr_{part}"] for part in PARTS) == parts
    assert FAILURE not in row


@pytest.mark.parametrize(
    ("link", "user", "moment"),
    [
        ("abc", "abc", None),
        ("abc.", "abc", None),
        ("abc.1767225600000", "abc", datetime(2026, 1, 1, tzinfo=UTC)),
        ("abc.1767225600000.sess.dQ", "abc", datetime(2026, 1, 1, tzinfo=UTC)),
        ("old.1&_sp=abc.1767225600000", "abc", datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_visitor_elsewhere_is_read(enrich_one: EnrichOne, link: str, user: str, moment: datetime | None) -> None:
    row = enrich_one(url=f"https://a.example/?_sp={link}")
    assert (row["refr_domain_userid"], row["refr_dvce_tstamp"]) == (user, moment)
    assert FAILURE not in row


@pytest.mark.parametrize("moment", ["yesterday", "-1", "9" * 15, "1" * 20, "0" * 16 + "9" * 9, "1" * 5000])
@pytest.mark.parametrize("step", ["page_url", "cross_navigation"])
def test_a_moment_that_is_none_flags_the_event_and_costs_it_no_part(
    enrich_one: EnrichOne, moment: str, step: str
) -> None:
    row = enrich_one(*([{"type": step}] if step != "page_url" else []), url=f"https://a.example/?_sp=abc.{moment}")
    assert (row["page_urlhost"], row["refr_domain_userid"], row["refr_dvce_tstamp"]) == ("a.example", None, None)
    failed = {entity["component_name"]: entity["errors"][0] for entity in row[FAILURE]}
    assert "_sp: milliseconds" in failed[f"catchment.enrich.{step}"]
