"""Say what kind of site the visitor came from."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import Field

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.errors import SettingsError
from catchment.event import STRING

_TYPE = pa.struct([("refr_medium", STRING), ("refr_source", STRING), ("refr_term", STRING)])
_KNOWN = Path(__file__).parent.parent / "referers.yml"
_READ = ("refr_urlscheme", "refr_urlhost", "refr_urlpath", "refr_urlquery", "page_urlhost")
_SCHEMES = frozenset({"http", "https", "android-app"})

Site = tuple[str, str, tuple[str, ...]]


class Referer(Enrichment):
    """Say what kind of site the visitor came from: search, social, email, chatbot, internal or unknown."""

    internal_domains: list[str] = Field(default=[], description="Hosts that are yours, beside the page's own.")
    referers: dict[str, dict[str, list[str]]] = Field(
        default={}, description="Your own sites, before ours: medium, then source, then hosts with or without a path."
    )

    path: str | None = Field(
        default=None, description="A YAML file of more of your own, written as 'referers' is; relative to the project."
    )

    def reads(self) -> tuple[str, ...]:
        return _READ

    def writes(self) -> tuple[str, ...]:
        return tuple(field.name for field in _TYPE)

    def open(self, project_folder: Path) -> Step:
        sites = _index(yaml.safe_load(_KNOWN.read_text()))
        return partial(
            _enrich, sites | self._read_own(project_folder) | _own(self.referers), frozenset(self.internal_domains)
        )

    def _read_own(self, project_folder: Path) -> dict[str, Site]:
        if self.path is None:
            return {}
        path = project_folder / self.path
        try:
            return _own(yaml.safe_load(path.read_text()))
        except (OSError, AttributeError, TypeError, yaml.YAMLError) as error:
            raise SettingsError(
                f"The referer enrichment cannot read {path}: {type(error).__name__}.",
                hint="Write medium, then source, then hosts: 'search: {Acme Search: [search.acme.example]}'.",
            ) from error


def _own(referers: dict[str, dict[str, list[str]]]) -> dict[str, Site]:
    return _index({medium: {name: {"hosts": hosts} for name, hosts in by.items()} for medium, by in referers.items()})


def _index(known: dict[str, dict[str, dict[str, list[str]]]]) -> dict[str, Site]:
    return {
        host: (medium, source, tuple(entry.get("terms", ())))
        for medium, sources in known.items()
        for source, entry in sources.items()
        for host in entry["hosts"]
    }


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
