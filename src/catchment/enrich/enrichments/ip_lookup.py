"""Find where an address is and who runs its network, in MaxMind databases."""

import csv
import ipaddress
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import maxminddb
import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.errors import SettingsError
from catchment.event import BOOLEAN, DOUBLE, STRING

ENTITY_COLUMN = "contexts_com_snowplowanalytics_snowplow_asn_1"
_ENTITY = pa.struct([("likely_bot", BOOLEAN), ("number", pa.int64()), ("organization", STRING)])
_TEXTS = ("geo_country", "geo_region", "geo_city", "geo_zipcode", "geo_region_name", "geo_timezone")
_NUMBERS = ("geo_latitude", "geo_longitude")
_FILLS = {
    "path": (*_TEXTS, *_NUMBERS),
    "isp_path": ("ip_isp", "ip_organization", ENTITY_COLUMN),
    "domain_path": ("ip_domain",),
    "connection_type_path": ("ip_netspeed",),
    "asn_path": (ENTITY_COLUMN,),
}
"""By setting: what the database fills."""
_TYPE = pa.struct(
    [
        *((name, STRING) for name in (*_TEXTS, "ip_isp", "ip_organization", "ip_domain", "ip_netspeed")),
        *((name, DOUBLE) for name in _NUMBERS),
        (ENTITY_COLUMN, pa.list_(_ENTITY)),
    ]
)
_LARGEST = 2**31 - 1

Readers = Mapping[str, maxminddb.Reader]


class IpLookup(Enrichment):
    """Find where an address is and who runs its network, in MaxMind databases; each is a file of yours.

    One that is in no database, or private, is nowhere. The network's number becomes the entity `asn`.
    """

    path: str | None = Field(
        default=None, description="A .mmdb file of cities, such as GeoLite2-City; relative to the project."
    )
    isp_path: str | None = Field(default=None, description="One of providers: GeoIP2-ISP.")
    domain_path: str | None = Field(default=None, description="One of second-level domains: GeoIP2-Domain.")
    connection_type_path: str | None = Field(default=None, description="One of speeds: GeoIP2-Connection-Type.")
    asn_path: str | None = Field(default=None, description="One of networks: GeoLite2-ASN.")
    bot_asns: list[int] = Field(
        default=[], description="Numbers of networks, such as data centres, whose entity `asn` says `likely_bot`."
    )
    bot_asns_path: str | None = Field(default=None, description="A .csv file of more, the number in its first column.")

    def reads(self) -> tuple[str, ...]:
        return ("user_ipaddress",)

    def writes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for setting in self._files() for name in _FILLS[setting]))

    def open(self, project_folder: Path) -> Step:
        if not self._files():
            raise SettingsError(
                "The ip_lookup enrichment has no database to look into.",
                hint="Add 'path: data/GeoLite2-City.mmdb' to it in enrich.enrichments, or take it out.",
            )
        readers = {setting: _open(project_folder / path) for setting, path in self._files().items()}
        bots = frozenset(self.bot_asns) | self._read_bots(project_folder)
        return partial(_enrich, readers, bots, self.writes())

    def _files(self) -> dict[str, str]:
        paths = {setting: getattr(self, setting) for setting in _FILLS}
        return {setting: path for setting, path in paths.items() if path is not None}

    def _read_bots(self, project_folder: Path) -> frozenset[int]:
        if self.bot_asns_path is None:
            return frozenset()
        path = project_folder / self.bot_asns_path
        try:
            with path.open(newline="") as file:
                firsts = [row[0].strip().upper().removeprefix("AS") for row in csv.reader(file) if row]
        except (OSError, ValueError, csv.Error) as error:
            raise SettingsError(
                f"The ip_lookup enrichment cannot read {path}: {type(error).__name__}.",
                hint="Write one network to a line, its number first: '64496,Acme Hosting'.",
            ) from error
        return frozenset(int(first) for first in firsts if first.isascii() and first.isdigit())


def _open(path: Path) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(str(path), maxminddb.MODE_MEMORY)
    except FileNotFoundError as error:
        raise SettingsError(
            f"The ip_lookup enrichment finds no file {path}.",
            hint="Put the database there, or take ip_lookup out of enrich.enrichments in catchment.yml.",
        ) from error
    except maxminddb.InvalidDatabaseError as error:
        raise SettingsError(f"{path} is no MaxMind database.", hint="Download it again.") from error


def _enrich(readers: Readers, bots: frozenset[int], writes: tuple[str, ...], events: pa.Table) -> Columns:
    found = fields(map_distinct(column(events, "user_ipaddress"), partial(_find, readers, bots), _TYPE))
    if found[ENTITY_COLUMN].null_count == events.num_rows:
        return {name: found[name] for name in writes if name != ENTITY_COLUMN}
    return {name: found[name] for name in writes}


def _find(readers: Readers, bots: frozenset[int], text: str) -> dict[str, Any] | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    records = {setting: _get(reader, address) for setting, reader in readers.items()}
    isp = records.get("isp_path", {})
    return {
        **_place(records.get("path", {})),
        "ip_isp": isp.get("isp"),
        "ip_organization": isp.get("organization"),
        "ip_domain": records.get("domain_path", {}).get("domain"),
        "ip_netspeed": records.get("connection_type_path", {}).get("connection_type"),
        ENTITY_COLUMN: next(_networks([records.get("asn_path", {}), isp], bots), None),
    }


def _get(reader: maxminddb.Reader, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> dict[str, Any]:
    try:
        found = reader.get(address)
    except ValueError:  # a database of IPv4 alone
        return {}
    return found if isinstance(found, dict) else {}


def _place(found: Mapping[str, Any]) -> dict[str, Any]:
    """Say where it is; of a region within a region the smallest counts."""
    region = (found.get("subdivisions") or [{}])[-1]
    spot = found.get("location", {})
    return {
        "geo_country": found.get("country", {}).get("iso_code"),
        "geo_region": region.get("iso_code"),
        "geo_region_name": region.get("names", {}).get("en"),
        "geo_city": found.get("city", {}).get("names", {}).get("en"),
        "geo_zipcode": found.get("postal", {}).get("code"),
        "geo_timezone": spot.get("time_zone"),
        "geo_latitude": spot.get("latitude"),
        "geo_longitude": spot.get("longitude"),
    }


def _networks(records: list[dict[str, Any]], bots: frozenset[int]) -> Iterator[list[dict[str, Any]]]:
    for record in records:
        number = record.get("autonomous_system_number")
        if isinstance(number, int) and number <= _LARGEST:
            organization = record.get("autonomous_system_organization")
            yield [{"number": number, "organization": organization, "likely_bot": True if number in bots else None}]
