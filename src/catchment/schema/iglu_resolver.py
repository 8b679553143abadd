"""Iglu's own resolver file becomes registries, in the order in which Iglu asks them."""

import json
from pathlib import Path
from typing import Any

from catchment.errors import SettingsError

_VENDOR, _NAME = "com.snowplowanalytics.iglu", "resolver-config"


def read_repositories(path: Path) -> list[dict[str, Any]]:
    """Read a `resolver.json` as the blocks of `schemas.registries`; raises SettingsError naming what is wrong."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise SettingsError(
            f"schemas.resolver names {path}, which cannot be read: {error.strerror}.",
            hint="Put Iglu's resolver file there, or take schemas.resolver out of catchment.yml.",
        ) from error
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}.", hint=f"`jq . {path}` shows where.") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if not isinstance(schema, str) or not schema.startswith(f"iglu:{_VENDOR}/{_NAME}/jsonschema/1-"):
        raise SettingsError(
            f"{path} is no resolver configuration of Iglu.",
            hint=f'Start it with {{"schema": "iglu:{_VENDOR}/{_NAME}/jsonschema/1-0-3", "data": ...}}.',
        )
    data = content.get("data")
    repositories = data.get("repositories") if isinstance(data, dict) else None
    if not isinstance(repositories, list):
        raise SettingsError(f"{path} has no list at data.repositories.", hint="Write one, as Iglu documents it.")
    blocks = [_block(path, place, repository) for place, repository in enumerate(repositories)]
    # Iglu asks what costs nothing first, whatever the priorities, and among equals by priority.
    ordered = sorted(blocks, key=lambda block: (block["type"] != "embedded", block["priority"]))
    return [{**block, "priority": place} for place, block in enumerate(ordered)]


def _block(path: Path, position: int, repository: Any) -> dict[str, Any]:
    connection = repository.get("connection") if isinstance(repository, dict) else None
    if not isinstance(connection, dict):
        raise SettingsError(f"{path}: data.repositories.{position} has no 'connection'.", hint="Add http or embedded.")
    priority = repository.get("priority", 0)
    block = {
        "priority": priority if isinstance(priority, int) else 0,
        "vendor_prefixes": [str(prefix) for prefix in repository.get("vendorPrefixes", ())],
    }
    if "embedded" in connection:
        return {"type": "embedded", **block}
    http = connection.get("http")
    if not isinstance(http, dict) or not isinstance(http.get("uri"), str):
        raise SettingsError(
            f"{path}: data.repositories.{position}.connection has neither 'embedded' nor an 'http' with a 'uri'.",
            hint='Write {"http": {"uri": "http://iglucentral.com"}}.',
        )
    key = {} if http.get("apikey") is None else {"api_key": str(http["apikey"])}
    return {"type": "iglu", "url": http["uri"], **key, **block}
