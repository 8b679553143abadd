"""Who the visitor was elsewhere is read from the link."""

from datetime import UTC, datetime

from tests.enrich.enrichments.conftest import EnrichOne

ENTITY = "contexts_com_snowplowanalytics_snowplow_cross_navigation_1"


def test_the_short_form_is_read(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "cross_navigation"}, url="https://a.example/?_sp=abc.1767225600000")
    assert (row["refr_domain_userid"], row["refr_dvce_tstamp"]) == ("abc", datetime(2026, 1, 1, tzinfo=UTC))
    assert row[ENTITY][0]["session_id"] is None


def test_the_extended_form_is_read(enrich_one: EnrichOne) -> None:
    url = "https://a.example/?_sp=abc.1767225600000.sess.YWRh.c2l0ZQ.web.Y2xpY2s"
    (entity,) = enrich_one({"type": "cross_navigation"}, url=url)[ENTITY]
    assert entity == {
        "domain_user_id": "abc", "timestamp": datetime(2026, 1, 1, tzinfo=UTC), "session_id": "sess", "user_id": "ada",
        "source_id": "site", "source_platform": "web", "reason": "click",
    }  # fmt: skip


def test_a_link_without_a_moment_names_the_visitor_but_makes_no_entity(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "cross_navigation"}, url="https://a.example/?_sp=abc")
    assert (row["refr_domain_userid"], ENTITY in row) == ("abc", False)
