"""Two events are the same where their fingerprints are."""

import hashlib

import pytest

from tests.enrich.enrichments.conftest import EnrichOne


@pytest.mark.parametrize("algorithm", ["MD5", "SHA1", "SHA256", "SHA384", "SHA512"])
def test_a_fingerprint_is_the_hash_of_sorted_parameters(enrich_one: EnrichOne, algorithm: str) -> None:
    row = enrich_one({"type": "fingerprint", "algorithm": algorithm}, stm="1", url="http://a.example/")
    content = "\x1f".join(["e", "pv", "p", "web", "tv", "js-4.6.8", "url", "http://a.example/", ""])
    assert row["event_fingerprint"] == hashlib.new(algorithm.lower(), content.encode()).hexdigest()


def test_what_a_retry_changes_is_left_out_and_what_is_excluded_can_be_chosen(enrich_one: EnrichOne) -> None:
    first, second = (enrich_one({"type": "fingerprint"}, stm=stm)["event_fingerprint"] for stm in ("1", "2"))
    assert first == second
    block = {"type": "fingerprint", "exclude": ["eid"]}
    assert enrich_one(block, stm="1")["event_fingerprint"] != enrich_one(block, stm="2")["event_fingerprint"]
