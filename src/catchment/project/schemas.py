"""The verbs that look after schemas: are they right, and what would publishing them break."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from catchment.errors import DefinitionError
from catchment.project.opened import Opened

JUDGED_ROWS = 10_000
"""Stored values of one schema that a new version is tried on, the newest."""


@dataclass(frozen=True)
class SchemaFinding:
    """One thing that `schema lint` or `schema check` says; `level` is error, warning or note."""

    level: str
    schema: str
    place: str
    message: str


class SchemaVerbs(Opened):
    """Schemas are judged before they are published."""

    def lint_schemas(self, folder: Path | None = None) -> list[SchemaFinding]:
        """Find what is wrong in the project's registries, or in one folder: each fault with its file and place."""
        from catchment.schema.lint import lint_folder

        depth = self.settings.schemas.max_json_depth
        folders = [folder] if folder is not None else self._registry_folders()
        return [
            SchemaFinding(finding.level, finding.file, finding.place, finding.message)
            for each in folders
            for finding in lint_folder(each, max_depth=depth)
        ]

    def check_schemas(self) -> list[SchemaFinding]:
        """Say what each version of the project's schemas breaks: of the one before, and of what the lake holds.

        An error is a step that says less than it breaks: such a version must not be published as it is.
        """
        self.resolver.reread()
        families: dict[tuple[Any, ...], list[Any]] = {}
        for key in self._own_keys():
            families.setdefault(key[:3], []).append(key)
        stored = self._stored_columns()
        findings = []
        for keys in families.values():
            for old, new in pairwise(sorted(keys)):
                findings += self._compare(old, new)
            findings += self._compare_with_lake(max(keys), stored)
        return findings

    def _compare(self, old: Any, new: Any) -> list[SchemaFinding]:
        from catchment.schema.compatibility import Step, compare, step_between

        before, after = self.resolver.find(old), self.resolver.find(new)
        declared = step_between(old.version, new.version)
        if before is None or after is None or declared is Step.MODEL:
            return []
        found = []
        for change in compare(before.schema, after.schema):
            breaks = change.needs > declared
            message = f"{change.message}: {change.needs.name}"
            if breaks:
                message += f", but {new.version} after {old.version} says {declared.name}; {_mend(old, change.needs)}"
            found.append(SchemaFinding("error" if breaks else "note", str(new), change.place, message))
        return found

    def _compare_with_lake(self, key: Any, stored: dict[str, pa.DataType]) -> list[SchemaFinding]:
        from catchment.schema.arrow import ENTITY, EVENT, column_name

        column = self.resolver.column(key)
        if column is None:
            return []
        found = []
        for prefix in (ENTITY, EVENT):
            name = column_name(prefix, key, column.suffix)
            if name not in stored:
                continue
            held = stored[name].value_type if prefix == ENTITY else stored[name]
            clashes = list(_clashes(held, column.type, "$"))
            found += [
                SchemaFinding("error", str(key), place, f"the lake holds it in {name} as {old}, not {new}: MODEL")
                for place, old, new in clashes
            ]
            if not clashes:
                found += self._judge_stored(key, name, column.restore)
        return found

    def _judge_stored(self, key: Any, name: str, restore: Any) -> list[SchemaFinding]:
        """Try the newest version on what the lake holds of its model."""
        query = f'select "{name}" as value from events where "{name}" is not null order by load_tstamp desc'
        with self.engine.attach(self.lake) as session:
            values = session.query(f"{query} limit {JUDGED_ROWS}").read_all()["value"].to_pylist()
        items = [
            item for value in values for item in (value if isinstance(value, list) else [value]) if item is not None
        ]
        faults = [faults[0] for item in items if (faults := self.resolver.validate(key, restore(item)))]
        if not faults:
            return []
        message = f"{len(faults):,} of {len(items):,} values in {name} do not fit it, such as: {faults[0].message}"
        return [SchemaFinding("warning", str(key), faults[0].path or "$", message)]

    def _own_keys(self) -> list[Any]:
        """Name the schemas in folders of the project, not those that come with Catchment."""
        from catchment.schema.registry import keys_in_folder

        return sorted({key for folder in self._registry_folders() for key in keys_in_folder(folder)})

    def _registry_folders(self) -> list[Path]:
        paths = [getattr(registry, "path", None) for registry in self.resolver_unchecked().registries]
        folders = [self.folder / path for path in paths if isinstance(path, str)]
        if not any(folder.is_dir() for folder in folders):
            raise DefinitionError(
                f"There are no schemas in {folders[0] if folders else self.folder}.",
                hint="Put one at schemas/VENDOR/NAME/jsonschema/1-0-0, or name a folder: catchment schema lint FOLDER.",
            )
        return [folder for folder in folders if folder.is_dir()]

    def resolver_unchecked(self) -> Any:
        """Give the registries without compiling what is in them: lint wants to name every fault, not the first."""
        from catchment.schema.resolver import build_resolver

        return build_resolver(self.settings.schemas, self.folder)

    def _stored_columns(self) -> dict[str, pa.DataType]:
        if not self.lake.exists("events"):
            return {}
        return {field.name: field.type for field in self.lake.schema("events")}


def _clashes(held: pa.DataType, wanted: pa.DataType, place: str) -> Any:
    """Name the places where a stored type and a wanted one differ; a field that only one of them has is none."""
    if pa.types.is_struct(held) and pa.types.is_struct(wanted):
        fields = {field.name: field.type for field in held}
        for field in wanted:
            if field.name in fields:
                yield from _clashes(fields[field.name], field.type, f"{place}.{field.name}")
    elif pa.types.is_list(held) and pa.types.is_list(wanted):
        yield from _clashes(held.value_type, wanted.value_type, f"{place}[]")
    elif _plain(held) != _plain(wanted):
        yield place, str(_plain(held)), str(_plain(wanted))


def _plain(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return pa.string()
    return type_


def _mend(old: Any, needs: Any) -> str:
    model, revision, _ = old.version
    version = f"{model + 1}-0-0" if needs.name == "MODEL" else f"{model}-{revision + 1}-0"
    return f"publish it as {version}"
