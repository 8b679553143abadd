"""Machines are told from people."""

import pytest

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

ENTITY = "contexts_com_snowplowanalytics_snowplow_bot_detection_1"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.mark.parametrize(
    ("agent", "indicators"),
    [
        (PERSON, []),
        ("Mozilla/5.0 (compatible; GPTBot/1.2)", ["useragent:assistant"]),
        ("Acme-Prober/1", ["useragent:rule"]),
    ],
)
def test_a_machine_is_known_by_its_name(enrich_one: EnrichOne, agent: str, indicators: list[str]) -> None:
    row = enrich_one({"type": "bot", "useragents": ["acme-prober"]}, ua=agent)
    assert row[ENTITY] == [{"bot": bool(indicators), "indicators": indicators}]


def test_a_machine_is_known_by_its_network(enrich_one: EnrichOne) -> None:
    row = enrich_one({"type": "bot", "networks": ["198.18.0.0/16"]}, ua=PERSON)
    assert row[ENTITY][0]["indicators"] == ["network:rule"]
    with pytest.raises(SettingsError):
        enrich_one({"type": "bot", "networks": ["everywhere"]})
