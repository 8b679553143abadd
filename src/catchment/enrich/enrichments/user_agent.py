"""Name browser, operating system and device from the User-Agent, by uap-core's rules."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import ua_parser
import yaml
from pydantic import Field
from ua_parser.loaders import load_yaml

from catchment.enrich.enrichment import Columns, Enrichment, Step, column, fields, map_distinct
from catchment.errors import SettingsError
from catchment.event import BOOLEAN, STRING

ENTITY_COLUMN = "contexts_com_snowplowanalytics_snowplow_ua_parser_context_1"
ENTITY_FIELDS = (
    *("device_family", "os_family", "os_major", "os_minor", "os_patch", "os_patch_minor", "os_version"),
    *("useragent_family", "useragent_major", "useragent_minor", "useragent_patch", "useragent_version"),
)
_ENTITY = pa.struct([(name, STRING) for name in ENTITY_FIELDS])
_ATOMIC = pa.struct(
    [
        *((name, STRING) for name in ("br_name", "br_family", "br_version", "br_type", "os_name", "os_family")),
        ("dvce_type", STRING),
        ("dvce_ismobile", BOOLEAN),
    ]
)
_PHONES = frozenset({"iOS", "Android", "Windows Phone", "KaiOS", "BlackBerry OS", "HarmonyOS"})
_TABLETS = ("iPad", "Tablet", "Kindle", "Silk/")


Parse = Callable[[str], ua_parser.Result]


class UserAgent(Enrichment):
    """Name browser, operating system and device from the User-Agent, by uap-core's rules.

    Writes the entity `ua_parser_context`, and the columns br_*, os_* and dvce_* that Snowplow's models read. A
    crawler has the device family `Spider` and br_type `Robot`.
    """

    path: str | None = Field(
        default=None,
        description="A regexes.yaml of your own in uap-core's form, instead of the one that comes with it.",
    )

    def reads(self) -> tuple[str, ...]:
        return ("useragent",)

    def writes(self) -> tuple[str, ...]:
        return (ENTITY_COLUMN, *(field.name for field in _ATOMIC))

    def open(self, project_folder: Path) -> Step:
        return partial(_enrich, ua_parser.parse if self.path is None else _read_rules(project_folder / self.path))


def _read_rules(path: Path) -> Parse:
    try:
        parse: Parse = ua_parser.Parser.from_matchers(load_yaml(path)).parse
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise SettingsError(
            f"The user_agent enrichment cannot read {path}: {type(error).__name__}.",
            hint="Put a regexes.yaml of uap-core there: user_agent_parsers, os_parsers and device_parsers.",
        ) from error
    return parse


def _enrich(parse: Parse, events: pa.Table) -> Columns:
    agents = column(events, "useragent")
    entities = map_distinct(agents, lambda agent: [_describe(parse, agent)], pa.list_(_ENTITY))
    return {ENTITY_COLUMN: entities, **fields(map_distinct(agents, partial(_classify, parse), _ATOMIC))}


def _describe(parse: Parse, agent: str) -> dict[str, str | None]:
    result = parse(agent)
    browser, system, device = result.user_agent, result.os, result.device
    return {
        "device_family": device.family if device else "Other",
        "os_family": system.family if system else "Other",
        **_version("os", system, ("major", "minor", "patch", "patch_minor")),
        "useragent_family": browser.family if browser else "Other",
        **_version("useragent", browser, ("major", "minor", "patch")),
    }


def _version(prefix: str, found: Any, levels: tuple[str, ...]) -> dict[str, str | None]:
    if found is None:
        return {f"{prefix}_version": "Other"}
    numbers = {f"{prefix}_{level}": getattr(found, level) for level in levels}
    number = ".".join(str(value) for value in numbers.values() if value is not None)
    return {**numbers, f"{prefix}_version": f"{found.family} {number}".strip()}


def _classify(parse: Parse, agent: str) -> dict[str, str | bool | None]:
    facts = _describe(parse, agent)
    kind = _device(agent, facts)
    is_robot = facts["device_family"] == "Spider"
    return {
        "br_name": facts["useragent_version"],
        "br_family": facts["useragent_family"],
        "br_version": (facts["useragent_version"] or "").removeprefix(facts["useragent_family"] or "").strip() or None,
        "br_type": "Robot" if is_robot else "Mobile Browser" if kind in ("Mobile", "Tablet") else "Browser",
        "os_name": facts["os_version"],
        "os_family": facts["os_family"],
        "dvce_type": "Unknown" if is_robot else kind,
        "dvce_ismobile": kind in ("Mobile", "Tablet"),
    }


def _device(agent: str, facts: dict[str, str | None]) -> str:
    if any(name in agent for name in _TABLETS) or (facts["os_family"] == "Android" and "Mobile" not in agent):
        return "Tablet"
    return "Mobile" if facts["os_family"] in _PHONES or "Mobi" in agent else "Computer"
