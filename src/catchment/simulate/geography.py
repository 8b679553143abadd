"""Where visitors are. `data/geo.mmdb` of the example finds it out again from their address."""

import ipaddress
from random import Random
from typing import NamedTuple

BLOCK_BITS = 10
BENCHMARK_RANGE = ipaddress.ip_network("198.18.0.0/15")
"""Reserved for benchmarks by RFC 2544: these addresses belong to nobody."""


class Place(NamedTuple):
    """One city; `core` marks the countries where the company sells."""

    country: str
    country_name: str
    region: str
    region_name: str
    city: str
    latitude: float
    longitude: float
    timezone: str
    utc_offset_h: int
    language: str
    share: float
    core: bool


PLACES = (
    Place("DE", "Germany", "BE", "Berlin", "Berlin", 52.52, 13.40, "Europe/Berlin", 1, "de-DE", 0.14, True),
    Place("DE", "Germany", "BY", "Bavaria", "Munich", 48.14, 11.58, "Europe/Berlin", 1, "de-DE", 0.10, True),
    Place("GB", "United Kingdom", "ENG", "England", "London", 51.51, -0.13, "Europe/London", 0, "en-GB", 0.13, True),
    Place(
        "US", "United States", "NY", "New York", "New York", 40.71, -74.01, "America/New_York", -5, "en-US", 0.13, True
    ),
    Place(
        "US",
        "United States",
        "CA",
        "California",
        "San Francisco",
        37.77,
        -122.42,
        "America/Los_Angeles",
        -8,
        "en-US",
        0.09,
        True,
    ),
    Place("FR", "France", "IDF", "Île-de-France", "Paris", 48.85, 2.35, "Europe/Paris", 1, "fr-FR", 0.09, False),
    Place(
        "NL", "Netherlands", "NH", "North Holland", "Amsterdam", 52.37, 4.90, "Europe/Amsterdam", 1, "nl-NL", 0.08, True
    ),
    Place("IN", "India", "KA", "Karnataka", "Bengaluru", 12.97, 77.59, "Asia/Kolkata", 5, "en-IN", 0.14, False),
    Place(
        "BR", "Brazil", "SP", "São Paulo", "São Paulo", -23.55, -46.63, "America/Sao_Paulo", -3, "pt-BR", 0.10, False
    ),
)


def draw_address(rng: Random, place: Place) -> str:
    """Draw an address from the block that belongs to the place."""
    first = int(address_block(PLACES.index(place)).network_address)
    return str(ipaddress.ip_address(first + rng.randrange(1, 2**BLOCK_BITS - 1)))


def address_block(index: int) -> ipaddress.IPv4Network:
    """Give the addresses that belong to the place of that index."""
    first = int(BENCHMARK_RANGE.network_address) + index * 2**BLOCK_BITS
    return ipaddress.IPv4Network((first, 32 - BLOCK_BITS))
