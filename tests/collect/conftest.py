"""One collector as it ships, and one with everything that is off by default."""

from collections.abc import Iterator

import pytest

from tests.collect.site import Site, serving, settings_for

EVERYTHING = {
    "cookie": {
        "client_name": "sp_client",
        "domains": ["acme.com", "acme.org"],
        "fallback_domain": "acme.net",
        "same_site": "Lax",
        "expires_days": 2,
    },
    "do_not_track": {"name": "optout", "value": "yes|1"},
    "redirect": {"enabled": True, "hosts": ["www.acme.com", "*.partner.com"]},
    "paths": {"/shop/hello": "/com.snowplowanalytics.snowplow/tp2", "/dot": "/i", "/go/to": "/r/tp2"},
    "cross_domain": {"enabled": True, "domains": ["*.acme.com"]},
    "root": {"status": 302, "headers": {"location": "https://www.acme.com/"}, "body": "moved"},
    "p3p": None,
    "trust_forwarded": False,
    "preflight_max_age_s": -1,
    "preflight_headers": ["Content-Type", "X-Mine"],
}


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(settings_for(), tmp_path_factory.mktemp("project")) as site:
        yield site


@pytest.fixture(scope="session")
def full_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(settings_for(**EVERYTHING), tmp_path_factory.mktemp("project")) as site:
        yield site
