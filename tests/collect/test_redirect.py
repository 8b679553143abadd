"""Clicks on links to elsewhere: kept, then sent on, and only where the settings say."""

from urllib.parse import quote

import pytest

from catchment.collect import CollectSettings

SOMEBODY = "33333333-3333-4333-8333-333333333333"


@pytest.mark.parametrize("path", ["/r/tp2", "/r/anything/else", "/go/to"])
@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("https://www.acme.com/a?b=c&d=e#f", "https://www.acme.com/a?b=c&d=e#f"),
        ("http://WWW.ACME.COM:8080/", "http://WWW.ACME.COM:8080/"),
        ("https://www.acme.com", "https://www.acme.com"),
        ("https://eu.shop.partner.com/x", "https://eu.shop.partner.com/x"),
        ("https://www.acme.com/caf\u00e9?%20", "https://www.acme.com/caf%C3%A9?%20"),
    ],
)
def test_a_click_is_kept_and_sent_on_to_a_listed_host(full_site, path, target, location):
    query = f"u={quote(target, safe='')}&e=pv"

    reply = full_site.ask("GET", f"{path}?{query}")

    assert (reply.status, reply.headers["location"]) == (302, location)
    assert "no-store" in reply.headers["cache-control"]
    assert reply.headers["set-cookie"].startswith("sp=")
    assert (full_site.last()["path"], full_site.last()["querystring"]) == ("/r/tp2", query)


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.com/",
        "https://evil.com/?https://www.acme.com",
        "https://evil.com\\@www.acme.com/",
        "https://www.acme.com@evil.com/",
        "https://www.acme.com:pw@www.acme.com/",
        "https://www.acme.com.evil.com/",
        "https://evilwww.acme.com/",
        "https://partner.com/",
        "https://evilpartner.com/",
        "https://evil.com%2f.partner.com/",
        "https://evil.com%23.partner.com/",
        "https:///www.acme.com/",
        "https:www.acme.com",
        "//www.acme.com/",
        "/local",
        "javascript://www.acme.com/%0aalert(1)",
        "data:text/html,x",
        "ftp://www.acme.com/",
        "https://www.acme.com\t.evil.com/",
        " https://www.acme.com/",
        "https://www.acme.com/\r\nset-cookie: a=b",
        "https://www.acme.com:99999/",
        "https://[::1",
        "https://\uff57ww.acme.com/",
        "https://www.acme.com./",
        "",
    ],
)
def test_a_target_elsewhere_is_refused_and_nothing_is_kept(full_site, target):
    before = full_site.count()

    reply = full_site.ask("GET", f"/r/tp2?u={quote(target, safe='')}")

    assert reply.status == 400
    assert reply.headers["location"] is None
    assert full_site.count() == before


@pytest.mark.parametrize("query", ["", "?e=pv", "?u=https://www.acme.com&u=https://evil.com"])
def test_a_redirect_needs_exactly_one_target(full_site, query):
    before = full_site.count()

    assert full_site.ask("GET", "/r/tp2" + query).status == 400
    assert full_site.count() == before


def test_the_macro_stands_for_the_visitor(full_site):
    target = quote("https://www.acme.com/?id=${SP_NUID}", safe="")

    reply = full_site.ask("GET", f"/r/tp2?u={target}", headers={"Cookie": f"sp={SOMEBODY}"})

    assert reply.headers["location"] == f"https://www.acme.com/?id={SOMEBODY}"


def test_the_macro_of_a_new_visitor_is_the_cookie_they_get(full_site):
    target = quote("https://www.acme.com/?id=${SP_NUID}", safe="")

    reply = full_site.ask("GET", f"/r/tp2?u={target}")

    visitor = full_site.last()["network_userid"]
    assert reply.headers["location"] == f"https://www.acme.com/?id={visitor}"
    assert f"sp={visitor};" in reply.headers["set-cookie"]


def test_who_refuses_to_be_tracked_is_sent_on_and_not_kept(full_site):
    before = full_site.count()

    reply = full_site.ask("GET", "/r/tp2?u=https%3A%2F%2Fwww.acme.com", headers={"Cookie": "optout=1"})

    assert (reply.status, reply.headers["location"]) == (302, "https://www.acme.com")
    assert full_site.count() == before


def test_redirects_without_the_list_of_hosts_are_refused_by_the_settings():
    with pytest.raises(ValueError, match="hosts"):
        CollectSettings(redirect={"enabled": True})
    with pytest.raises(ValueError, match=r"redirect\.hosts"):
        CollectSettings(paths={"/go/to": "/r/tp2"})


@pytest.mark.parametrize("paths", [{"shop": "/i"}, {"/a/b": "/x"}, {"/a/b": "/a/b/c"}, {"/a?b": "/i"}, {"/": "/i"}])
def test_paths_of_ones_own_must_lead_to_a_path_that_takes_events(paths):
    with pytest.raises(ValueError, match="paths"):
        CollectSettings(paths=paths)
