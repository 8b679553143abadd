"""Who a browser is, by its cookie and by what the tracker says."""

import json
import uuid

import pytest

from catchment.collect import CollectSettings, CookieSettings
from catchment.collect.request import Request
from catchment.collect.visitor import Visitors
from tests.collect.site import TP2, serving, settings_for

BODY = json.dumps({"schema": "iglu:any", "data": [{"e": "pv"}]})
SOMEBODY = "33333333-3333-4333-8333-333333333333"
SOMEBODY_ELSE = "44444444-4444-4444-8444-444444444444"


def test_a_new_visitor_gets_a_cookie_that_third_party_pages_send_back(site):
    reply = site.ask("POST", TP2, BODY)

    visitor = site.last()["network_userid"]
    assert uuid.UUID(visitor).version == 4
    assert reply.headers["set-cookie"] == f"sp={visitor}; Max-Age=31536000; Path=/; SameSite=None; Secure; HttpOnly"


def test_a_returning_visitor_keeps_the_cookie_even_among_broken_ones(site):
    reply = site.ask("GET", "/i?e=pv", headers={"Cookie": f'bad="a b[; sp={SOMEBODY}'})

    assert f"sp={SOMEBODY};" in reply.headers["set-cookie"]
    assert site.last()["network_userid"] == SOMEBODY


def test_a_garbled_cookie_is_replaced(site):
    site.ask("GET", "/i?e=pv", headers={"Cookie": "sp=garbled"})

    assert uuid.UUID(site.last()["network_userid"])


def test_who_the_tracker_names_wins_over_the_cookie(site):
    reply = site.ask("POST", f"{TP2}?nuid={SOMEBODY}&x=1", BODY, {"Cookie": f"sp={SOMEBODY_ELSE}"})

    assert site.last()["network_userid"] == SOMEBODY
    assert f"sp={SOMEBODY};" in reply.headers["set-cookie"]


@pytest.mark.parametrize("nuid", ["me", "x%3B%20Domain%3Devil.com", "%0D%0ASet-Cookie:%20a=b", "", SOMEBODY + "0"])
def test_a_name_that_is_no_uuid_never_reaches_the_cookie(site, nuid):
    reply = site.ask("GET", f"/i?e=pv&nuid={nuid}")

    [cookie] = reply.headers.get_all("set-cookie")
    assert uuid.UUID(cookie.partition("=")[2].partition(";")[0])
    assert "evil" not in cookie


def test_a_parameter_that_only_ends_like_it_names_nobody(site):
    site.ask("GET", f"/i?e=pv&tnuid={SOMEBODY}")

    assert site.last()["network_userid"] != SOMEBODY


@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("https://acme.com", "acme.com"),
        ("https://www.shop.acme.org:8443", "acme.org"),
        ("https://notacme.com", "acme.net"),
        ("null", "acme.net"),
        ("http://[", "acme.net"),
        ("https://" + "a" * 5_000 + ".acme.com", "acme.net"),
    ],
)
def test_the_cookies_domain_is_the_first_above_the_origin_else_the_fallback(full_site, origin, domain):
    reply = full_site.ask("POST", TP2, BODY, {"Origin": origin})

    visitor = full_site.last()["network_userid"]
    shared = f"Max-Age=172800; Path=/; Domain={domain}; SameSite=Lax; Secure"
    assert reply.headers.get_all("set-cookie") == [
        f"sp={visitor}; {shared}; HttpOnly",
        f"sp_client={visitor}; {shared}",
    ]


def test_without_the_cookie_nobody_is_given_one():
    visitors = Visitors(CookieSettings(enabled=False))
    request = Request("GET", "/i", "", [], "127.0.0.1")

    assert visitors.set_cookies(request, SOMEBODY) == []


@pytest.fixture(scope="module")
def bouncing_site(tmp_path_factory):
    settings = settings_for(cookie={"bounce": {"enabled": True, "marker": "n3pc"}})
    with serving(settings, tmp_path_factory.mktemp("project")) as site:
        yield site


def test_a_new_browsers_first_pixel_is_sent_back_to_itself_and_not_kept(bouncing_site):
    before = bouncing_site.count()

    reply = bouncing_site.ask("GET", "/com.acme/%5Cv%201?e=pv&page=caf%C3%A9")

    assert reply.status == 302
    assert reply.headers["location"] == "/com.acme/%5Cv%201?e=pv&page=caf%C3%A9&n3pc=true"
    assert reply.headers["set-cookie"].startswith("sp=")
    assert bouncing_site.count() == before


def test_a_browser_that_keeps_cookies_is_itself_after_the_bounce(bouncing_site):
    cookie = bouncing_site.ask("GET", "/i?e=pv").headers["set-cookie"].partition(";")[0]

    reply = bouncing_site.ask("GET", "/i?e=pv&n3pc=true", headers={"Cookie": cookie})

    assert reply.status == 200
    assert "sp=" + bouncing_site.last()["network_userid"] == cookie
    assert bouncing_site.last()["querystring"] == "e=pv&n3pc=true"


def test_a_browser_without_cookies_is_the_fallback_after_the_bounce(bouncing_site):
    reply = bouncing_site.ask("GET", "/i?n3pc=true")

    assert reply.status == 200
    assert bouncing_site.last()["network_userid"] == "00000000-0000-4000-A000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("POST", TP2, {}),
        ("GET", f"/i?nuid={SOMEBODY}", {}),
        ("GET", "/i", {"Cookie": f"sp={SOMEBODY}"}),
        ("GET", "/i", {"SP-Anonymous": "*"}),
    ],
)
def test_nobody_else_is_bounced(bouncing_site, method, path, headers):
    before = bouncing_site.count()

    assert bouncing_site.ask(method, path, BODY, headers).status == 200
    assert bouncing_site.count() == before + 1


def test_a_cookie_that_browsers_drop_is_refused_at_once():
    with pytest.raises(ValueError, match="Lax"):
        CollectSettings(cookie={"secure": False})
