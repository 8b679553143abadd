"""The end of an address is blotted out."""

import pytest

from tests.enrich.enrichments.conftest import EnrichOne


@pytest.mark.parametrize(
    ("address", "blotted"),
    [
        ("198.18.3.7", "198.18.x.x"),
        ("2001:db8::7", "2001:db8:0:0:0:x:x:x"),
        ("2001:0DB8::7", "2001:db8:0:0:0:x:x:x"),
        ("fe80::1%eth0", "fe80:0:0:0:0:x:x:x"),
        ("::ffff:198.18.3.7", "::ffff:198.18.x.x"),
        ("::FFFF:198.18.3.7", "::FFFF:198.18.x.x"),
        ("::ffff:c612:307", "::ffff:198.18.x.x"),
        ("198.18.300.7", "198.18.x.x"),
        ("unknown", "unknown"),
    ],
)
def test_the_end_becomes_x(enrich_one: EnrichOne, address: str, blotted: str) -> None:
    row = enrich_one({"type": "ip_anonymize", "octets": 2, "segments": 3}, ip=address)
    assert row["user_ipaddress"] == blotted
