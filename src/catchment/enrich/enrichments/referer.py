"""Say what kind of site the visitor came from."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.errors import SettingsError, TransientError
from catchment.event import STRING

_TYPE = pa.struct([("refr_medium", STRING), ("refr_source", STRING), ("refr_term", STRING)])
_KNOWN = Path(__file__).parent.parent / "referers.yml"
_READ = ("refr_urlscheme", "refr_urlhost", "refr_urlpath", "refr_urlquery", "page_urlhost")
_SCHEMES = frozenset({"http", "https", "android-app"})
_TIMEOUT_S = 10.0

Site = tuple[str, str, tuple[str, ...]]


class Listed(BaseModel):
    """A site: its hosts, with or without a path, and where its URLs hold the words that were searched for."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    hosts: list[str] = Field(validation_alias=AliasChoices("hosts", "domains"))
    terms: list[str] | None = Field(default=None, validation_alias=AliasChoices("terms", "parameters"))


Listing = dict[str, dict[str, list[str] | Listed]]
"""By medium, then by name: the hosts of a site, or more about it."""
_LISTING: TypeAdapter[Listing] = TypeAdapter(Listing, config=ConfigDict(coerce_numbers_to_str=True))


class Referer(Enrichment):
    """Say what kind of site the visitor came from: search, social, email, chatbot, paid, internal or unknown."""

    internal_domains: list[str] = Field(default=[], description="Hosts that are yours, beside the page's own.")
    referers: Listing = Field(
        default={},
        description="Your own sites, before ours: medium, then source, then hosts with or without a path, or "
        "'{hosts: [...], terms: [q]}' where the words searched for are to be read.",
    )

    path: str | None = Field(
        default=None,
        description="A YAML or JSON file of more of your own, written as 'referers' is or as Snowplow's list is; "
        "relative to the project, or a URL that is read once, at the start.",
    )

    def reads(self) -> tuple[str, ...]:
        return _READ

    def writes(self) -> tuple[str, ...]:
        return tuple(field.name for field in _TYPE)

    def open(self, project_folder: Path) -> Step:
        own = {} if self.path is None else _read_own(self.path, project_folder)
        sites = _index(_LISTING.validate_python(yaml.safe_load(_KNOWN.read_text()))) | own | _index(self.referers)
        return partial(_enrich, sites, frozenset(domain.lower() for domain in self.internal_domains))


def _read_own(path: str, project_folder: Path) -> dict[str, Site]:
    is_url = path.startswith(("http://", "https://"))
    place = path if is_url else str(project_folder / path)
    try:
        text = _fetch(path) if is_url else Path(place).read_text()
        return _index(_LISTING.validate_python(yaml.safe_load(text)))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(
            f"The referer enrichment cannot read {place}: {type(error).__name__}.",
            hint="Write medium, then source, then hosts: 'search: {Acme Search: [search.acme.example]}'.",
        ) from error


def _fetch(url: str) -> str:
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, follow_redirects=True)
    except httpx.HTTPError as error:
        raise TransientError(f"The list of referers at {url} cannot be had: {type(error).__name__}.") from error
    if answer.status_code >= 500:
        raise TransientError(f"The list of referers at {url} cannot be had: the answer was {answer.status_code}.")
    if not answer.is_success:
        raise SettingsError(
            f"The list of referers at {url} cannot be had: the answer was {answer.status_code}.",
            hint="Mend the 'path' of the referer enrichment in enrich.enrichments.",
        )
    return answer.text


def _index(listing: Mapping[str, Mapping[str, list[str] | Listed]]) -> dict[str, Site]:
    sites: dict[str, Site] = {}
    for medium, sources in listing.items():
        for source, entry in sources.items():
            listed = entry if isinstance(entry, Listed) else Listed(hosts=entry)
            sites |= {_named(host): (medium, source, tuple(listed.terms or ())) for host in listed.hosts}
    return sites


def _named(listed: str) -> str:
    host, slash, path = listed.partition("/")
    return f"{host.lower()}{slash}{path}"


def _enrich(sites: dict[str, Site], internal: frozenset[str], events: pa.Table) -> Columns:
    parts = [pc.fill_null(column(events, name), "") for name in _READ]
    keys = pc.if_else(events["refr_urlhost"].is_valid(), pc.binary_join_element_wise(*parts, "\x00"), None)
    keys = keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
    return fields(map_distinct(keys, partial(_classify, sites, internal), _TYPE))


def _classify(sites: dict[str, Site], internal: frozenset[str], key: str) -> dict[str, Any] | None:
    scheme, host, path, query, page_host = key.split("\x00")
    host = host.lower()
    if scheme not in _SCHEMES:
        return None
    if host == page_host.lower() or host in internal:
        return {"refr_medium": "internal"}
    site = next((sites[name] for name in _names(host, path) if name in sites), None)
    if site is None:
        return {"refr_medium": "unknown"}
    medium, source, terms = site
    words = parse_qs(query)
    term = next((words[name][0] for name in terms if name in words), None)
    return {"refr_medium": medium, "refr_source": source, "refr_term": term}


def _names(host: str, path: str) -> Iterator[str]:
    """Give what the site may be listed as, the most exact first: with the path, its first part, then by host alone."""
    first = "/" + path.strip("/").split("/")[0]
    labels = host.split(".")
    for number in range(max(len(labels) - 1, 1)):
        name = ".".join(labels[number:])
        yield name + path
        yield name + first
        yield name
