"""Headers are kept by pattern."""

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne


def test_matching_headers_are_kept(enrich_one: EnrichOne) -> None:
    request = {"headers": ["X-Forwarded-Proto: https", "Accept: */*", "application/json"]}
    row = enrich_one({"type": "http_header", "pattern": "x-.*"}, request=request)
    assert row["contexts_org_ietf_http_header_1"] == [{"name": "X-Forwarded-Proto", "value": "https"}]


def test_a_pattern_that_is_none_is_told(enrich_one: EnrichOne) -> None:
    with pytest.raises(SettingsError, match="pattern"):
        enrich_one({"type": "http_header", "pattern": "("})
