"""Read the marketing parameters of the page's URL."""

from functools import partial
from pathlib import Path
from urllib.parse import parse_qsl

import pyarrow as pa
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.event import STRING

_COLUMNS = ("mkt_medium", "mkt_source", "mkt_term", "mkt_content", "mkt_campaign", "mkt_clickid", "mkt_network")
_TYPE = pa.struct([(name, STRING) for name in _COLUMNS])

_CLICK_IDS = {
    "gclid": "Google", "gbraid": "Google", "wbraid": "Google", "dclid": "DoubleClick", "msclkid": "Microsoft",
    "fbclid": "Meta", "ttclid": "TikTok", "twclid": "X", "li_fat_id": "LinkedIn", "rdt_cid": "Reddit",
    "ScCid": "Snapchat", "epik": "Pinterest", "yclid": "Yandex",
}  # fmt: skip
"""A paid click's own parameter comes before one that organic links carry too, such as fbclid."""


class Campaign(Enrichment):
    """Read the marketing parameters of the page's URL; of each list the first that says something wins.

    Of a parameter that the URL repeats the last counts, as Snowplow has it.
    """

    medium: list[str] = ["utm_medium"]
    source: list[str] = ["utm_source"]
    term: list[str] = ["utm_term"]
    content: list[str] = ["utm_content"]
    campaign: list[str] = ["utm_campaign"]
    click_ids: dict[str, str] = Field(
        default={}, description="Your own, before ours: the parameter that carries a click's id, and its network."
    )

    def reads(self) -> tuple[str, ...]:
        return ("page_urlquery",)

    def writes(self) -> tuple[str, ...]:
        return _COLUMNS

    def open(self, project_folder: Path) -> Step:
        return partial(_enrich, self)


def _enrich(campaign: Campaign, events: pa.Table) -> Columns:
    return fields(map_distinct(column(events, "page_urlquery"), partial(_read, campaign), _TYPE))


def _read(campaign: Campaign, query: str) -> dict[str, str] | None:
    parameters = dict(parse_qsl(query))
    found: dict[str, str] = {}
    for name in ("medium", "source", "term", "content", "campaign"):
        value = next((parameters[key] for key in getattr(campaign, name) if key in parameters), None)
        if value is not None:
            found[f"mkt_{name}"] = value
    networks = campaign.click_ids | {key: name for key, name in _CLICK_IDS.items() if key not in campaign.click_ids}
    clicked = next((key for key in networks if key in parameters), None)
    if clicked is not None:
        found |= {"mkt_clickid": parameters[clicked], "mkt_network": networks[clicked]}
    return found or None
