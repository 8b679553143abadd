"""Writes `data/geo.mmdb` of the example: `python -m tests.simulate.geo_database PATH`."""

import sys
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

from catchment.simulate.geography import PLACES, Place, address_block

BUILD_EPOCH = 1_700_000_000


class Writer(MMDBWriter):  # type: ignore[misc]
    def _build_meta(self) -> dict[str, Any]:
        # The library stamps the present second, which would make each copy of the same database another file.
        return {**super()._build_meta(), "build_epoch": BUILD_EPOCH}


def write_geo_database(path: Path) -> None:
    writer = Writer(ip_version=6, ipv4_compatible=True, database_type="Catchment-Simulated-City", languages=["en"])
    for index, place in enumerate(PLACES):
        writer.insert_network(IPSet([str(address_block(index))]), _record(place))
    writer.to_db_file(str(path))


def _record(place: Place) -> dict[str, Any]:
    return {
        "city": {"names": {"en": place.city}},
        "country": {"iso_code": place.country, "names": {"en": place.country_name}},
        "subdivisions": [{"iso_code": place.region, "names": {"en": place.region_name}}],
        "location": {"latitude": place.latitude, "longitude": place.longitude, "time_zone": place.timezone},
    }


if __name__ == "__main__":
    write_geo_database(Path(sys.argv[1]))
