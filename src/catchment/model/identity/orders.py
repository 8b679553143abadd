"""What a build is told of identity: kinds, limits and rules, left as a file where dbt's plugin finds it."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from catchment.lake.lake import Lake
from catchment.model.identity.declared import IdentitySettings
from catchment.model.identity.graph import Burst, Kind
from catchment.model.identity.rules import Pair, PairRules, read_rules

ORDERS = "identity.json"
MICROSECONDS_A_DAY = 86_400_000_000
NAMES_PEOPLE = "domain_userid"
"""People are named after their first cookie, as visitors are known everywhere before they log in."""


@dataclass(frozen=True)
class Orders:
    """How people are formed; `mark` changes whenever it does, and with it whoever is whoever."""

    kinds: tuple[Kind, ...]
    max_links: int
    rules: PairRules
    links: str | None
    min_score: float
    burst: Burst | None
    mark: str

    @classmethod
    def of(cls, settings: IdentitySettings, rules: PairRules, links_version: int | None = None) -> "Orders":
        """Take what is declared, and which version of the probable links there is."""
        kinds = tuple(
            Kind(each.name, each.limit, each.shared, each.name == NAMES_PEOPLE) for each in settings.identifiers
        )
        declared = (kinds, settings.max_links, rules, settings.links, settings.min_score, _burst(settings))
        told = repr((*declared, links_version, _code()))
        return cls(*declared, hashlib.sha256(told.encode()).hexdigest()[:16])

    @classmethod
    def of_project(cls, lake: Lake, settings: IdentitySettings, folder: Path) -> "Orders":
        """Take what a project declares, and which version of its probable links stands in the lake."""
        version = lake.version(settings.links) if settings.links is not None else None
        return cls.of(settings, read_rules(folder, settings), version)

    def write(self, path: Path) -> None:
        """Leave the orders as a file, which only its owner may read: it names people."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self) | {"kinds": self.kinds, "rules": self.rules._asdict()}))

    @classmethod
    def read(cls, path: Path) -> "Orders":
        """Read what `write` has left."""
        content = json.loads(path.read_text())
        rules = {name: tuple(_pair(rows) for rows in pairs) for name, pairs in content["rules"].items()}
        kinds = tuple(Kind(*kind) for kind in content["kinds"])
        burst = None if content["burst"] is None else Burst(*content["burst"])
        return cls(**content | {"kinds": kinds, "rules": PairRules(**rules), "burst": burst})


def _burst(settings: IdentitySettings) -> Burst | None:
    told = settings.burst
    return None if told is None else Burst(told.links, told.days * MICROSECONDS_A_DAY)


def _pair(rows: list[Any]) -> Pair:
    (kind, value), (other_kind, other_value) = rows
    return (kind, value), (other_kind, other_value)


@cache
def _code() -> str:
    """Mark the code that forms people: another version may form others."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
