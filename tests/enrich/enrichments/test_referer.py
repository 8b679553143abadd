"""Own lists of sites come before ours."""

from pathlib import Path

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne


def test_sites_of_your_own_file_come_first(enrich_one: EnrichOne, tmp_path: Path) -> None:
    (tmp_path / "sites.yml").write_text("partner: {Acme Partner: [partner.example/shop, google.com]}\n")
    block = {"type": "referer", "path": "sites.yml"}
    for referrer in ("https://partner.example/shop/1", "https://www.google.com/"):
        row = enrich_one(block, refr=referrer)
        assert (row["refr_medium"], row["refr_source"]) == ("partner", "Acme Partner")


def test_a_file_that_is_not_there_is_told(enrich_one: EnrichOne) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yml"):
        enrich_one({"type": "referer", "path": "nowhere.yml"})
