"""What the collector answers that is no event."""

import pytest

from tests.collect.site import TP2


@pytest.mark.parametrize("path", [TP2, "/i", "/", "/com.acme/v1"])
def test_a_preflight_allows_what_trackers_send(site, path):
    reply = site.ask("OPTIONS", path, headers={"Origin": "https://www.acme.com"})

    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "https://www.acme.com"
    assert reply.headers["access-control-allow-credentials"] == "true"
    assert reply.headers["access-control-allow-headers"] == "Content-Type, SP-Anonymous"
    assert reply.headers["access-control-max-age"] == "3600"


def test_a_preflight_allows_what_the_settings_say(full_site):
    reply = full_site.ask("OPTIONS", TP2)

    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-headers"] == "Content-Type, X-Mine"
    assert reply.headers["access-control-max-age"] == "-1"


@pytest.mark.parametrize("path", ["/health", "/sink-health"])
def test_a_collector_that_can_keep_is_healthy(site, path):
    before = site.count()

    assert site.ask("GET", path).status == 200
    assert site.count() == before


def test_crawlers_are_sent_away(site):
    reply = site.ask("GET", "/robots.txt")

    assert (reply.status, reply.body) == (200, b"User-agent: *\nDisallow: /\n")


def test_the_cross_domain_policy_is_off_by_default(site, full_site):
    reply = full_site.ask("GET", "/crossdomain.xml")

    assert site.ask("GET", "/crossdomain.xml").status == 404
    assert (reply.status, reply.headers["content-type"]) == (200, "text/xml")
    assert b'<allow-access-from domain="*.acme.com" secure="true" />' in reply.body


def test_the_root_answers_what_the_settings_say(full_site):
    reply = full_site.ask("GET", "/")

    assert (reply.status, reply.headers["location"], reply.body) == (302, "https://www.acme.com/", b"moved")
