"""Look schemas up in registries, first match first, and remember the answers for a while."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from catchment.errors import DefinitionError
from catchment.plugin import build_plugin
from catchment.schema import SchemaSettings
from catchment.schema.arrow import Column, merge_versions
from catchment.schema.key import SchemaKey
from catchment.schema.registry import Registry, Schema
from catchment.schema.validate import Fault, Validator, compile_schema


class Resolved(NamedTuple):
    """A schema that was found, ready to judge data."""

    schema: Schema
    validator: Validator


class Resolver:
    """Schemas by key. Answers, and that there is none, are remembered for `cache_ttl_s`."""

    def __init__(
        self,
        registries: Sequence[Registry],
        folder: Path,
        settings: SchemaSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registries = registries
        self._folder = folder
        self._settings = settings or SchemaSettings()
        self._clock = clock
        self._expires = 0.0
        self._found: dict[SchemaKey, Resolved | None] = {}
        self._columns: dict[tuple[str, str, int], dict[SchemaKey, Column]] = {}
        self._keys: list[SchemaKey] | None = None

    def find(self, key: SchemaKey) -> Resolved | None:
        """Give a schema, None where no registry has it; raises RegistryUnavailable where one does not answer."""
        self._forget_old()
        if key not in self._found:
            self._found[key] = self._look_up(key)
        return self._found[key]

    def validate(self, key: SchemaKey, instance: object) -> list[Fault]:
        """Say what is wrong with `instance` by the schema `key`; an unknown schema is a fault too."""
        resolved = self.find(key)
        if resolved is None:
            return [Fault("unknown_schema", f"No registry has {key}.", schema=str(key))]
        return [fault._replace(schema=str(key)) for fault in resolved.validator.judge(instance)]

    def column(self, key: SchemaKey) -> Column | None:
        """Give the column that data of this schema is stored in, all versions of its model merged."""
        self._forget_old()
        model = (key.vendor, key.name, key.version.model)
        if key not in self._columns.get(model, {}):
            self._columns[model] = merge_versions(
                {version: resolved.schema for version in self.versions(key) if (resolved := self.find(version))}
            )
        return self._columns[model].get(key)

    def versions(self, key: SchemaKey) -> list[SchemaKey]:
        """Name the known versions of the model that `key` belongs to, oldest first."""
        if self._keys is None:
            self._keys = self.keys()
        same = {other for other in self._keys if other[:3] == key[:3] and other.version.model == key.version.model}
        if self.find(key) is not None:
            same.add(key)
        return sorted(same)

    def keys(self) -> list[SchemaKey]:
        """Name every schema of every registry."""
        return sorted({key for registry in self._registries for key in registry.keys(self._folder)})

    def check(self) -> int:
        """Compile every schema of the project and give their number; raises DefinitionError for one that is none."""
        return sum(self.find(key) is not None for key in self.keys())

    def _look_up(self, key: SchemaKey) -> Resolved | None:
        for registry in self._registries:
            schema = registry.find(key, self._folder)
            if schema is None:
                continue
            try:
                return Resolved(schema, compile_schema(schema, max_depth=self._settings.max_json_depth))
            except ValueError as error:
                raise DefinitionError(
                    f"The schema {key} is no JSON Schema: {error}", hint=f"Mend {self._place(registry, key)}."
                ) from error
        return None

    def _place(self, registry: Registry, key: SchemaKey) -> str:
        path = getattr(registry, "path", None)
        return str(self._folder / path / key.path) if isinstance(path, str) else f"it where {key} is kept"

    def _forget_old(self) -> None:
        if self._clock() < self._expires:
            return
        self._expires = self._clock() + self._settings.cache_ttl_s
        self._found, self._columns, self._keys = {}, {}, None


def open_resolver(settings: SchemaSettings, folder: Path) -> Resolver:
    """Open the registries of a project; raises DefinitionError where a file in them is no schema."""
    registries = [
        build_plugin("schema/registries", block, place=f"schemas.registries.{position}", project_folder=folder)
        for position, block in enumerate(settings.registries)
    ]
    resolver = Resolver(registries, folder, settings)
    resolver.check()
    return resolver
