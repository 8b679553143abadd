"""Where an address is and whose its network is, by small databases that are made here."""

from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from catchment.errors import SettingsError
from tests.enrich.enrichments.conftest import EnrichOne

ASN = "contexts_com_snowplowanalytics_snowplow_asn_1"
RECORDS: dict[str, dict[str, Any]] = {
    "path": {
        "country": {"iso_code": "GB"}, "city": {"names": {"en": "Oxford"}}, "postal": {"code": "OX1"},
        "subdivisions": [
            {"iso_code": "ENG", "names": {"en": "England"}}, {"iso_code": "OXF", "names": {"en": "Oxfordshire"}},
        ],
        "location": {"latitude": 51.75, "longitude": -1.25, "time_zone": "Europe/London"},
    },
    "isp_path": {
        "isp": "Acme Net", "organization": "Acme", "autonomous_system_number": 64_497,
        "autonomous_system_organization": "Acme by ISP",
    },
    "domain_path": {"domain": "acme.example"},
    "connection_type_path": {"connection_type": "Cable/DSL"},
    "asn_path": {"autonomous_system_number": 64_496, "autonomous_system_organization": "Acme Hosting"},
}  # fmt: skip
ADDRESS = "203.0.113.9"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for setting, record in RECORDS.items():
        writer = MMDBWriter(ip_version=4, database_type=setting, int_type="u32")
        writer.insert_network(IPSet(["203.0.113.0/24"]), record)
        writer.to_db_file(str(tmp_path / f"{setting}.mmdb"))
    return {setting: f"{setting}.mmdb" for setting in RECORDS}


def look(enrich_one: EnrichOne, files: dict[str, str], *settings: str, ip: str = ADDRESS, **more: Any) -> Any:
    return enrich_one({"type": "ip_lookup", **{name: files[name] for name in settings}, **more}, ip=ip)


def test_every_database_fills_its_columns(enrich_one: EnrichOne, files: dict[str, str]) -> None:
    row = look(enrich_one, files, *RECORDS)
    assert {name: row[name] for name in row if name.startswith(("geo_", "ip_"))} == {
        "geo_country": "GB", "geo_region": "OXF", "geo_region_name": "Oxfordshire", "geo_city": "Oxford",
        "geo_zipcode": "OX1", "geo_latitude": 51.75, "geo_longitude": -1.25, "geo_timezone": "Europe/London",
        "ip_isp": "Acme Net", "ip_organization": "Acme", "ip_domain": "acme.example", "ip_netspeed": "Cable/DSL",
    }  # fmt: skip
    assert row[ASN] == [{"number": 64_496, "organization": "Acme Hosting", "likely_bot": None}]


def test_a_database_of_providers_names_the_network_too(enrich_one: EnrichOne, files: dict[str, str]) -> None:
    (entity,) = look(enrich_one, files, "isp_path")[ASN]
    assert (entity["number"], entity["organization"]) == (64_497, "Acme by ISP")


@pytest.mark.parametrize("address", ["10.0.0.1", "198.18.0.1", "2001:db8::1", "unknown", "203.0.113.x"])
def test_an_address_of_nowhere_flags_nothing(enrich_one: EnrichOne, files: dict[str, str], address: str) -> None:
    row = look(enrich_one, files, *RECORDS, ip=address)
    assert (row["geo_country"], row["ip_isp"]) == (None, None)
    assert not any(name.startswith("contexts_") for name in row)


def test_a_network_of_data_centres_is_a_likely_bot(
    enrich_one: EnrichOne, files: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bad.csv").write_text('ASN,Entity\nAS64496,"Acme, Hosting"\n')
    for more in ({"bot_asns": [64_496]}, {"bot_asns_path": "bad.csv"}):
        assert look(enrich_one, files, "asn_path", **more)[ASN][0]["likely_bot"] is True


def test_no_database_or_no_list_is_told(enrich_one: EnrichOne, files: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="no database"):
        look(enrich_one, files)
    with pytest.raises(SettingsError, match=r"nowhere\.csv"):
        look(enrich_one, files, "asn_path", bot_asns_path="nowhere.csv")
