"""Find, list and build plugins: one file in a folder is one plugin, and its file name is its `type`.

Looked up in the project's own `plugins/<kind>/` first, then in Catchment's folder of that kind, then among installed
entry points of the group `catchment.<kind>` (with `/` as `.`).
"""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from catchment.errors import PluginError, SettingsError

KINDS = (
    "schema/registries",
    "collect/logs",
    "enrich/adapters",
    "enrich/enrichments",
    "lake/engines",
    "ingest/sources",
    "predict/learners",
    "activate/destinations",
)


class Plugin(BaseModel):
    """A plugin's fields are its settings, its class docstring its description, its methods its work."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


def list_plugins(kind: str, project_folder: Path | None = None) -> dict[str, type[Plugin]]:
    """Give every plugin of a kind by its type, the project's own shadowing ours."""
    found = dict(_installed(kind))
    found.update((name, _only_plugin(module)) for name, module in _shipped(kind))
    if project_folder is not None:
        found.update((name, _only_plugin(module)) for name, module in _local(kind, project_folder))
    return dict(sorted(found.items()))


def find_plugin(kind: str, type_name: str, project_folder: Path | None = None) -> type[Plugin]:
    """Give the plugin class of that type; raises PluginError naming those there are."""
    found = list_plugins(kind, project_folder)
    if type_name in found:
        return found[type_name]
    raise PluginError(
        f"There is no {kind} plugin of type '{type_name}'.",
        hint=f"Use one of: {', '.join(found)}. Or put your own in plugins/{kind}/{type_name}.py.",
    )


def build_plugin(kind: str, settings: Mapping[str, Any], *, place: str, project_folder: Path | None = None) -> Any:
    """Build the plugin that `settings["type"]` names from its other keys; `place` is named when they are wrong."""
    fields = dict(settings)
    type_name = fields.pop("type", None)
    if not isinstance(type_name, str):
        raise SettingsError(f"{place} has no 'type'.", hint=f"Add 'type: NAME' to {place} in catchment.yml.")
    plugin = find_plugin(kind, type_name, project_folder)
    try:
        return plugin(**fields)
    except ValidationError as error:
        raise SettingsError(explain(error, place), hint=f"`catchment plugins {kind}` lists the fields.") from error


def explain(error: ValidationError, place: str) -> str:
    """Say in one line per fault which key is wrong and why, without echoing the value, which may be a secret."""
    faults = []
    for fault in error.errors(include_input=False, include_url=False):
        key = ".".join([place, *(str(part) for part in fault["loc"])]).strip(".")
        reason = "is not a setting" if fault["type"] == "extra_forbidden" else fault["msg"]
        faults.append(f"{key}: {reason}")
    return "\n".join(faults)


def _shipped(kind: str) -> Iterator[tuple[str, ModuleType]]:
    package = importlib.import_module("catchment." + kind.replace("/", "."))
    for entry in pkgutil.iter_modules(package.__path__):
        yield entry.name, importlib.import_module(f"{package.__name__}.{entry.name}")


def _local(kind: str, project_folder: Path) -> Iterator[tuple[str, ModuleType]]:
    for path in sorted((project_folder / "plugins" / kind).glob("*.py")):
        module_name = f"catchment_project_plugins.{kind.replace('/', '.')}.{path.stem}"
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise PluginError(f"{path} cannot be imported.", hint="Make it a readable Python file.")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise PluginError(
                f"{path} cannot be imported: {error}", hint="Mend the file; it is plain Python."
            ) from error
        yield path.stem, module


def _installed(kind: str) -> Iterator[tuple[str, type[Plugin]]]:
    for entry in entry_points(group="catchment." + kind.replace("/", ".")):
        yield entry.name, entry.load()


def _only_plugin(module: ModuleType) -> type[Plugin]:
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Plugin)
        and value.__module__ == module.__name__
        and not value.__name__.startswith("_")
    ]
    if len(classes) != 1:
        raise PluginError(
            f"{module.__file__} defines {len(classes)} plugins, not one.",
            hint="Keep one public subclass of the kind's base in the file; prefix others with an underscore.",
        )
    return classes[0]
