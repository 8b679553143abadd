"""What every schema registry offers: one schema by its key, and the versions that a model has."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from catchment.errors import DefinitionError
from catchment.plugin import Plugin
from catchment.schema.key import SchemaKey, SchemaVer

Schema = dict[str, Any]


class Registry(Plugin):
    """A place where schemas are kept."""

    priority: int = Field(default=0, description="Lower is asked first; among equals, the one that stands first.")
    vendor_prefixes: list[str] = Field(
        default=[], description="Asked before all others for vendors that start so, such as com.acme."
    )
    only_these_vendors: bool = Field(default=False, description="Ask it for the vendors of vendor_prefixes alone.")

    def find(self, key: SchemaKey, project_folder: Path) -> Schema | None:
        """Give one schema, None where it is not kept here; raises RegistryUnavailable where nobody answers."""
        raise NotImplementedError

    def keys(self, project_folder: Path) -> list[SchemaKey]:
        """Name every schema that the project itself keeps here; a registry of somebody else's names none."""
        raise NotImplementedError

    def versions(self, key: SchemaKey, project_folder: Path) -> list[SchemaKey] | None:
        """Name the versions of the model that `key` belongs to; None where they can only be tried one by one."""
        return [known for known in self.keys(project_folder) if known.family == key.family]

    def mark(self, project_folder: Path) -> object:
        """Give something that changes whenever what `keys` names, or what is kept under them, does."""
        return None

    def check(self, project_folder: Path) -> None:
        """Prove that it answers; raises what is wrong."""

    def has_prefix_of(self, vendor: str) -> bool:
        """Say whether it was named for this vendor."""
        return any(vendor == prefix or vendor.startswith(f"{prefix}.") for prefix in self.vendor_prefixes)


def in_order(registries: Sequence[Registry], vendor: str) -> list[Registry]:
    """Give the registries that are asked for a vendor's schemas, in the order they are asked."""
    asked = [each for each in registries if not each.only_these_vendors or each.has_prefix_of(vendor)]
    return sorted(asked, key=lambda registry: (not registry.has_prefix_of(vendor), registry.priority))


def find_in_folder(folder: Path, key: SchemaKey) -> Schema | None:
    """Read one schema of a folder laid out as `vendor/name/jsonschema/version`, with or without `.json`."""
    path = folder / key.path
    for candidate in (path, path.with_name(f"{path.name}.json")):
        if candidate.is_file():
            return read_schema(candidate, key)
    return None


def keys_in_folder(folder: Path) -> list[SchemaKey]:
    """Name the schemas of such a folder; a file whose place is no schema key is a DefinitionError."""
    keys = [_key_of(path, folder) for path in sorted(folder.rglob("*")) if _is_schema_file(path, folder)]
    return sorted(set(keys))


def mark_of_folder(folder: Path) -> object:
    """Give the names, sizes and times of change of the files in such a folder."""
    states = [(str(path), path.stat()) for path in sorted(folder.rglob("*")) if _is_schema_file(path, folder)]
    return [(path, state.st_size, state.st_mtime_ns) for path, state in states]


def read_schema(path: Path, key: SchemaKey) -> Schema:
    """Read one file; raises DefinitionError where it is not JSON, no object, or says it is another schema."""
    try:
        schema = json.loads(path.read_bytes())
    except ValueError as error:
        raise DefinitionError(
            f"{path} is not JSON: {error}.", hint=f"Mend {path}; `jq . {path}` shows where."
        ) from error
    if not isinstance(schema, dict):
        raise DefinitionError(f"{path} is no JSON Schema: it is no object.", hint='Start it with {"type": "object"}.')
    claim = schema.get("self")
    if claim is None:
        return schema
    expected = {"vendor": key.vendor, "name": key.name, "format": key.format, "version": str(key.version)}
    if claim != expected:
        raise DefinitionError(
            f"{path} says in 'self' that it is another schema.", hint=f'Set "self": {json.dumps(expected)}.'
        )
    return schema


def _is_schema_file(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    return path.is_file() and not any(part.startswith(".") for part in parts)


def _key_of(path: Path, folder: Path) -> SchemaKey:
    parts = path.relative_to(folder).parts
    version = SchemaVer.parse(parts[-1].removesuffix(".json"))
    key = None
    if len(parts) == 4 and version is not None:
        key = SchemaKey.parse(f"iglu:{'/'.join(parts[:3])}/{version}")
    if key is None:
        raise DefinitionError(
            f"{path} is not where a schema stands.",
            hint=f"Move it to {folder}/VENDOR/NAME/jsonschema/1-0-0, or out of {folder}.",
        )
    return key
