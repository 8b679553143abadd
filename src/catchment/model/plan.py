"""What one build has to do: which events are new to the models, and whether everything must be built anew.

Only *which* visits and people are counted again is decided here, never what comes out: counting more of them than
needed gives the same tables.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from catchment.lake.changes import appended_since, still_stands
from catchment.lake.lake import Lake
from catchment.lake.moves import MAPPING
from catchment.model import ModelSettings
from catchment.tables import IDENTITY_IDENTIFIERS, MODEL_BUILDS

PROJECT = Path(__file__).parent / "dbt"
_RESOLVED_ANEW: Any = {
    **dict.fromkeys(("max_links", "burst", "rules", "links", "min_score"), True),
    "identifiers": {"__all__": {"limit", "shared"}},
}
_ELSEWHERE: Any = {"user_models": True, "user_macros": True, "trait_files": True, "identity": _RESOLVED_ANEW}
"""Settings that other marks stand for: a change of them costs less than all tables anew."""


@dataclass(frozen=True)
class Plan:
    """One build: `since` is the version of `events` that the models stand at, None where all is built anew.

    `mapping_versions` are those of `user_mapping` that standing rows may have been made with. `is_mapping_whole` says
    that `user_mapping` is to be made of all identifiers, for it was made with others than those that stand.
    """

    since: int | None
    through: int
    reason: str
    mapping_versions: tuple[int, ...] = ()
    is_mapping_whole: bool = True
    first_day: date | None = None
    last_day: date | None = None

    def within(self, first_day: date, last_day: date) -> "Plan":
        """Give the same plan for the visits that began on these days only."""
        return replace(self, first_day=first_day, last_day=last_day)


def plan_build(lake: Lake, fingerprint: str, *, full_refresh: bool) -> Plan:
    """Decide whether the standing tables can be brought up to date, and from where."""
    through = lake.version("events") or 0
    if full_refresh:
        return Plan(None, through, "asked for")
    builds = {row["model"]: row for row in lake.read(MODEL_BUILDS.name).to_pylist()}
    for model in merged_models():
        if model not in builds or not lake.exists(model):
            return Plan(None, through, f"{model} was never built whole")
        if builds[model]["fingerprint"] != fingerprint:
            return Plan(None, through, f"{model} was built by other SQL or settings")
    since = min(int(builds[model]["events_version"]) for model in merged_models())
    if appended_since(lake, "events", since) is None:
        return Plan(None, through, "events were removed, or the log of their arrival was")
    oldest = min(int(builds[model]["mapping_version"]) for model in merged_models())
    mapping = range(oldest, (lake.version(MAPPING) or 0) + 1)
    if not still_stands(lake, MAPPING, mapping):
        return Plan(None, through, f"the {MAPPING} that the models were built with is gone")
    is_mapping_whole = builds[MAPPING]["identity_version"] != lake.version(IDENTITY_IDENTIFIERS.name)
    return Plan(since, through, f"events since version {since}", tuple(mapping), is_mapping_whole)


def merged_models() -> list[str]:
    """Name the shipped models that are brought up to date rather than replaced."""
    return sorted(path.stem for path in (PROJECT / "models").glob("*.sql") if "unique_key" in path.read_text())


def mark_of(settings: ModelSettings, macros: Path | None) -> str:
    """Give a fingerprint of what the tables depend on beside events: SQL, lists, settings, overriding macros."""
    digest = hashlib.sha256(settings.model_dump_json(exclude=_ELSEWHERE).encode())
    folders = [PROJECT, *([macros] if macros is not None else [])]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".sql", ".csv"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def forget_builds(lake: Lake) -> None:
    """Note that nothing stands whole, before all is built anew: a build that is cut off is then begun again."""
    if lake.exists(MODEL_BUILDS.name):
        lake.overwrite(MODEL_BUILDS.name, MODEL_BUILDS.schema.empty_table())


def note_builds(lake: Lake, models: list[str], fingerprint: str, through: int) -> None:
    """Note which versions of `events`, of `user_mapping` and of identity these models stand at now."""
    stand_at = {
        "events_version": through,
        "mapping_version": lake.version(MAPPING),
        "identity_version": lake.version(IDENTITY_IDENTIFIERS.name),
        "built_at": datetime.now(UTC),
    }
    rows = [{"model": name, "fingerprint": fingerprint, **stand_at} for name in models]
    lake.merge(MODEL_BUILDS.name, pa.Table.from_pylist(rows, schema=MODEL_BUILDS.schema))
