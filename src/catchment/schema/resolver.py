"""Look schemas up in registries, first match first, and remember the answers for a while."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from catchment.errors import DefinitionError, RegistryUnavailable
from catchment.plugin import build_plugin
from catchment.schema import SchemaSettings
from catchment.schema.arrow import Column, merge_versions
from catchment.schema.iglu_resolver import read_repositories
from catchment.schema.key import SchemaKey, SchemaVer
from catchment.schema.registry import Registry, Schema, in_order
from catchment.schema.validate import Fault, Validator, compile_schema

_MOST_TRIED = 200
"""Versions of one model that are tried where a registry cannot list them."""


class Resolved(NamedTuple):
    """A schema that was found, ready to judge data; `superseded_by` names the version that judges in its place."""

    schema: Schema
    validator: Validator
    superseded_by: SchemaKey | None = None


class _Known(NamedTuple):
    """What is remembered about a key until `expires`: a schema, that there is none, or that it is none."""

    expires: float
    resolved: Resolved | None
    unusable: Fault | None = None


class Resolver:
    """Schemas by key. An answer is remembered for `cache_ttl_s`, that there is none for `missing_ttl_s`.

    Where a registry does not answer, RegistryUnavailable is raised, unless another has the schema or it was known.
    """

    def __init__(
        self,
        registries: Sequence[Registry],
        folder: Path,
        settings: SchemaSettings | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registries = registries
        self._folder = folder
        self._settings = settings or SchemaSettings()
        self._clock = clock
        self._known: OrderedDict[SchemaKey, _Known] = OrderedDict()
        self._columns: dict[tuple[str, str, str, int], tuple[float, dict[SchemaKey, Column]]] = {}
        self._superseded: tuple[float, dict[SchemaKey, SchemaKey]] = (0.0, {})
        self._marks: list[object] = []

    def find(self, key: SchemaKey) -> Resolved | None:
        """Give a schema, None where no registry has it; raises RegistryUnavailable where one does not answer."""
        return self._recall(key).resolved

    def validate(self, key: SchemaKey, instance: object) -> list[Fault]:
        """Say what is wrong with `instance` by the schema `key`, or what supersedes it; an unknown one is a fault."""
        key = self.superseding(key)
        known = self._recall(key)
        if known.unusable is not None:
            return [known.unusable]
        if known.resolved is None:
            return [Fault("unknown_schema", f"No registry has {key}.", schema=str(key))]
        return [fault._replace(schema=str(key)) for fault in known.resolved.validator.judge(instance)]

    def superseding(self, key: SchemaKey) -> SchemaKey:
        """Name the version that judges data of `key`: itself, or the newest that says it supersedes it."""
        while (resolved := self.find(key)) is not None and resolved.superseded_by is not None:
            if self.find(resolved.superseded_by) is None:
                return key
            key = resolved.superseded_by
        return key

    def column(self, key: SchemaKey) -> Column | None:
        """Give the column that data of this schema is stored in, all versions of its model merged."""
        expires, columns = self._columns.get(key.family, (0.0, {}))
        if key not in columns or self._clock() >= expires:
            columns = self._merge(key, columns)
            self._columns[key.family] = (self._clock() + self._settings.cache_ttl_s, columns)
        return columns.get(key)

    def versions(self, key: SchemaKey) -> list[SchemaKey]:
        """Name the known versions of the model that `key` belongs to, oldest first."""
        lists = [each.versions(key, self._folder) for each in in_order(self.registries, key.vendor)]
        same = {known for listed in lists if listed is not None for known in listed}
        if None in lists:
            same.update(self._try_versions(key))
        if self.find(key) is not None:
            same.add(key)
        return sorted(same)

    def keys(self) -> list[SchemaKey]:
        """Name every schema that the project itself keeps."""
        return sorted({key for registry in self.registries for key in registry.keys(self._folder)})

    def reread(self) -> None:
        """Look at the project's own schemas anew where one was added or changed; raises as `check` does.

        What a registry of somebody else's answered stays known: it may not answer now.
        """
        marks = [registry.mark(self._folder) for registry in self.registries]
        if marks == self._marks:
            return
        self._known = OrderedDict((key, known._replace(expires=0.0)) for key, known in self._known.items())
        self._columns = {family: (0.0, columns) for family, (_, columns) in self._columns.items()}
        self._superseded = (0.0, {})
        self.check()
        self._marks = marks

    def check(self) -> int:
        """Compile every schema of the project and give their number; raises DefinitionError for one that is none."""
        number = 0
        for key in self.keys():
            known = self._recall(key)
            if known.unusable is not None:
                registry = next(each for each in self.registries if key in each.keys(self._folder))
                hint = f"Mend {self._place(registry, key)}; `catchment schema lint` names every fault."
                raise DefinitionError(known.unusable.message, hint=hint)
            number += known.resolved is not None
        return number

    def ask_registries(self) -> None:
        """Prove that every registry answers; raises RegistryUnavailable naming the first that does not."""
        for registry in self.registries:
            registry.check(self._folder)

    def _recall(self, key: SchemaKey) -> _Known:
        known = self._known.get(key)
        if known is not None and self._clock() < known.expires:
            return known
        try:
            fresh = self._look_up(key)
        except RegistryUnavailable:
            if known is None or known.resolved is None:
                raise
            # What is published does not change, so an old answer is better than none.
            fresh = known._replace(expires=self._clock() + self._settings.cache_ttl_s)
        self._known[key] = fresh
        self._known.move_to_end(key)
        while len(self._known) > self._settings.cache_size:
            self._known.popitem(last=False)
        return fresh

    def _look_up(self, key: SchemaKey) -> _Known:
        silent: RegistryUnavailable | None = None
        for registry in in_order(self.registries, key.vendor):
            try:
                schema = registry.find(key, self._folder)
            except RegistryUnavailable as error:
                silent = silent or error
                continue
            if schema is not None:
                return self._compile(key, schema)
        if silent is not None:
            raise silent
        return _Known(self._clock() + self._settings.missing_ttl_s, None)

    def _compile(self, key: SchemaKey, schema: Schema) -> _Known:
        expires = self._clock() + self._settings.cache_ttl_s
        try:
            validator = compile_schema(schema, max_depth=self._settings.max_json_depth)
        except ValueError as error:
            fault = Fault("unusable_schema", f"The schema {key} is no JSON Schema: {error}", schema=str(key))
            return _Known(expires, None, fault)
        return _Known(expires, Resolved(schema, validator, self._supersedes(key, schema)))

    def _supersedes(self, key: SchemaKey, schema: Schema) -> SchemaKey | None:
        """Name what supersedes it: by its own word, which an Iglu Server adds, or by that of a newer one here."""
        told = schema.get("$supersededBy")
        version = SchemaVer.parse(told) if isinstance(told, str) else None
        if version is not None and version > key.version:
            return key._replace(version=version)
        return self._superseded_here().get(key)

    def _superseded_here(self) -> dict[SchemaKey, SchemaKey]:
        expires, superseded = self._superseded
        if self._clock() < expires:
            return superseded
        superseded = {
            old: newer
            for registry in self.registries
            for newer in registry.keys(self._folder)
            for old in _superseded_by(newer, registry.find(newer, self._folder) or {})
        }
        self._superseded = (self._clock() + self._settings.cache_ttl_s, superseded)
        return superseded

    def _merge(self, key: SchemaKey, known: dict[SchemaKey, Column]) -> dict[SchemaKey, Column]:
        try:
            found = ((version, self.find(version)) for version in self.versions(key))
            return merge_versions({version: resolved.schema for version, resolved in found if resolved is not None})
        except RegistryUnavailable:
            if key not in known:
                raise
            return known

    def _try_versions(self, key: SchemaKey) -> list[SchemaKey]:
        found: list[SchemaKey] = []
        revision, addition = 0, 0
        while len(found) < _MOST_TRIED:
            tried = key._replace(version=SchemaVer(key.version.model, revision, addition))
            if self.find(tried) is not None:
                found.append(tried)
                addition += 1
            elif addition > 0:
                revision, addition = revision + 1, 0
            else:
                break
        return found

    def _place(self, registry: Registry, key: SchemaKey) -> str:
        path = getattr(registry, "path", None)
        return str(self._folder / path / key.path) if isinstance(path, str) else f"it where {key} is kept"


def _superseded_by(newer: SchemaKey, schema: Schema) -> list[SchemaKey]:
    told = schema.get("$supersedes")
    versions = [SchemaVer.parse(str(old)) for old in told] if isinstance(told, list) else []
    return [newer._replace(version=old) for old in versions if old is not None and old < newer.version]


def open_resolver(settings: SchemaSettings, folder: Path) -> Resolver:
    """Open the registries of a project; raises DefinitionError where a file in them is no schema."""
    resolver = build_resolver(settings, folder)
    resolver.reread()
    return resolver


def build_resolver(settings: SchemaSettings, folder: Path) -> Resolver:
    """Build the registries of a project without looking at what is in them."""
    blocks = [(f"schemas.registries.{position}", block) for position, block in enumerate(settings.registries)]
    if settings.resolver is not None:
        blocks += [(settings.resolver, block) for block in read_repositories(folder / settings.resolver)]
    registries = [
        build_plugin("schema/registries", block, place=place, project_folder=folder) for place, block in blocks
    ]
    return Resolver(registries, folder, settings)
