"""What every schema registry offers: one schema by its key, and the versions that a model has."""

import json
from pathlib import Path
from typing import Any

from catchment.errors import DefinitionError
from catchment.plugin import Plugin
from catchment.schema.key import SchemaKey, SchemaVer

Schema = dict[str, Any]


class Registry(Plugin):
    """A place where schemas are kept."""

    def find(self, key: SchemaKey, project_folder: Path) -> Schema | None:
        """Give one schema, None where it is not kept here; raises RegistryUnavailable where nobody answers."""
        raise NotImplementedError

    def keys(self, project_folder: Path) -> list[SchemaKey]:
        """Name every schema kept here."""
        raise NotImplementedError


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
