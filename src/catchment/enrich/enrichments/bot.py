"""Say which events were sent by a machine."""

import ipaddress
import re
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, map_distinct
from catchment.errors import SettingsError
from catchment.event import BOOLEAN, STRING

ENTITY_COLUMN = "contexts_com_snowplowanalytics_snowplow_bot_detection_1"
_ENTITY = pa.struct([("bot", BOOLEAN), ("indicators", pa.list_(STRING))])
_JUDGED = {
    "asnLookups": ("contexts_com_snowplowanalytics_snowplow_asn_1", "likely_bot"),
    "clientSideDetection": ("contexts_com_snowplowanalytics_snowplow_client_side_bot_detection_1", "bot"),
}
"""By indicator: the entity in which somebody else has judged already, and its field that says so."""
_KNOWN = Path(__file__).parent.parent / "crawlers.yml"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Bot(Enrichment):
    """Say which events were sent by a machine: the entity `bot_detection`, with each indicator that says so.

    What else has judged counts too: a tracker in its browser, and ip_lookup by the network, where it ran before.
    """

    useragents: list[str] = Field(default=[], description="Your own: parts of a User-Agent, in any case.")
    networks: list[str] = Field(default=[], description="Your own: address ranges such as 203.0.113.0/24.")

    def reads(self) -> tuple[str, ...]:
        return ("useragent", "user_ipaddress", *(place for place, _ in _JUDGED.values()))

    def writes(self) -> tuple[str, ...]:
        return (ENTITY_COLUMN,)

    def open(self, project_folder: Path) -> Step:
        parts = {str(name): [str(part) for part in known] for name, known in yaml.safe_load(_KNOWN.read_text()).items()}
        parts = {"rule": self.useragents, **parts}
        patterns = {
            name: re.compile("|".join(map(re.escape, known)), re.IGNORECASE) for name, known in parts.items() if known
        }
        try:
            networks = [ipaddress.ip_network(network) for network in self.networks]
        except ValueError as error:
            raise SettingsError(f"The bot enrichment: {error}.", hint="Write ranges as 203.0.113.0/24.") from error
        return partial(_enrich, patterns, networks)


def _enrich(patterns: dict[str, re.Pattern[str]], networks: list[Network], events: pa.Table) -> Columns:
    agents, addresses = column(events, "useragent").to_pylist(), column(events, "user_ipaddress").to_pylist()
    judged = _read_judged(events)
    keys = pa.array(
        [
            f"{said}\n{address or ''}\n{agent or ''}"
            for said, address, agent in zip(judged, addresses, agents, strict=True)
        ]
    )
    return {ENTITY_COLUMN: map_distinct(keys, partial(_judge, patterns, networks), pa.list_(_ENTITY))}


def _read_judged(events: pa.Table) -> list[str]:
    """Give of each event the indicators of those who have judged it already, with a space between them."""
    judged = [""] * events.num_rows
    for indicator, (place, field) in _JUDGED.items():
        if place not in events.column_names:
            continue
        for row, entities in enumerate(column(events, place).to_pylist()):
            if any(entity.get(field) for entity in entities or ()):
                judged[row] = f"{judged[row]} {indicator}"
    return judged


def _judge(patterns: dict[str, re.Pattern[str]], networks: list[Network], key: str) -> list[dict[str, Any]]:
    judged, address, agent = key.split("\n", 2)
    kind = next((name for name, pattern in patterns.items() if pattern.search(agent)), None)
    indicators = [] if kind is None else [f"useragent:{kind}"]
    if networks and _is_within(address, networks):
        indicators.append("network:rule")
    indicators += judged.split()
    return [{"bot": bool(indicators), "indicators": indicators}]


def _is_within(text: str, networks: list[Network]) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in networks)
