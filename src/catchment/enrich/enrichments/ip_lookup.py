"""Find where an address is, in a MaxMind database."""

import ipaddress
from functools import partial
from pathlib import Path
from typing import Any

import maxminddb
import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.errors import SettingsError
from catchment.event import DOUBLE, STRING

_TEXTS = ("geo_country", "geo_region", "geo_city", "geo_zipcode", "geo_region_name", "geo_timezone")
_NUMBERS = ("geo_latitude", "geo_longitude")
_TYPE = pa.struct([*((name, STRING) for name in _TEXTS), *((name, DOUBLE) for name in _NUMBERS)])


class IpLookup(Enrichment):
    """Find where an address is, in a MaxMind database; one that is in no database, or private, is nowhere."""

    path: str = Field(description="A .mmdb file of cities, such as GeoLite2-City; relative to the project.")

    def reads(self) -> tuple[str, ...]:
        return ("user_ipaddress",)

    def writes(self) -> tuple[str, ...]:
        return (*_TEXTS, *_NUMBERS)

    def open(self, project_folder: Path) -> Step:
        path = project_folder / self.path
        try:
            reader = maxminddb.open_database(str(path), maxminddb.MODE_MEMORY)
        except FileNotFoundError as error:
            raise SettingsError(
                f"The ip_lookup enrichment finds no file {path}.",
                hint="Put a GeoLite2-City.mmdb there, or take ip_lookup out of enrich.enrichments in catchment.yml.",
            ) from error
        except maxminddb.InvalidDatabaseError as error:
            raise SettingsError(f"{path} is no MaxMind database.", hint="Download it again.") from error
        return partial(_enrich, reader)


def _enrich(reader: maxminddb.Reader, events: pa.Table) -> Columns:
    return fields(map_distinct(column(events, "user_ipaddress"), partial(_find, reader), _TYPE))


def _find(reader: maxminddb.Reader, address: str) -> dict[str, Any] | None:
    try:
        found: Any = reader.get(ipaddress.ip_address(address))
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    places, spot = found.get("subdivisions") or [{}], found.get("location", {})
    return {
        "geo_country": found.get("country", {}).get("iso_code"),
        "geo_region": places[0].get("iso_code"),
        "geo_region_name": places[-1].get("names", {}).get("en"),
        "geo_city": found.get("city", {}).get("names", {}).get("en"),
        "geo_zipcode": found.get("postal", {}).get("code"),
        "geo_timezone": spot.get("time_zone"),
        "geo_latitude": spot.get("latitude"),
        "geo_longitude": spot.get("longitude"),
    }
