"""Machines are told from people."""

import json
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

ENTITY = "contexts_com_snowplowanalytics_snowplow_bot_detection_1"
VENDOR = "com.snowplowanalytics.snowplow"
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


def test_what_others_have_judged_counts(enrich_one: EnrichOne, tmp_path: Path) -> None:
    writer = MMDBWriter(ip_version=4, database_type="asn", int_type="u32")
    writer.insert_network(IPSet(["203.0.113.0/24"]), {"autonomous_system_number": 64_496})
    writer.to_db_file(str(tmp_path / "asn.mmdb"))
    told = {"schema": f"iglu:{VENDOR}/client_side_bot_detection/jsonschema/1-0-0", "data": {"bot": True, "kind": "x"}}
    entities = json.dumps({"schema": f"iglu:{VENDOR}/contexts/jsonschema/1-0-1", "data": [told]})
    lookup = {"type": "ip_lookup", "asn_path": "asn.mmdb", "bot_asns": [64_496]}
    row = enrich_one(lookup, {"type": "bot"}, ua=PERSON, ip="203.0.113.1", co=entities)
    assert row[ENTITY] == [{"bot": True, "indicators": ["asnLookups", "clientSideDetection"]}]
    row = enrich_one(lookup, {"type": "bot"}, ua=PERSON, ip="198.18.0.1")
    assert row[ENTITY] == [{"bot": False, "indicators": []}]
