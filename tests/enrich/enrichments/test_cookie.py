"""Cookies are kept by name."""

from tests.enrich.enrichments.conftest import EnrichOne


def test_named_cookies_are_kept_in_any_case(enrich_one: EnrichOne) -> None:
    request = {"headers": ["Host: a", "Cookie: sp=1; SESSION=a=b; other=2"]}
    row = enrich_one({"type": "cookie", "names": ["session", "absent"]}, request=request)
    assert row["contexts_org_ietf_http_cookie_1"] == [{"name": "SESSION", "value": "a=b"}]
