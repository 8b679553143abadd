"""Anything that dlt can read: a resource or source named by "module:function"."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import Field

from catchment.ingest.source import Part, Source, SourceError, to_part


class Dlt(Source):
    """A dlt resource or source, called by us and merged by us; dlt keeps no state of its own here."""

    function: str = Field(
        pattern=r"^[\w.]+:\w+$", description='"module:function", the module in the project or installed.'
    )
    arguments: dict[str, Any] = Field(default={}, description="Keyword arguments of the function.")
    resource: str | None = Field(
        default=None, description="Which resource, where the function gives a source of several."
    )

    def read(self, project_folder: Path) -> Iterator[Part]:
        """Give what the resource yields; raises SourceError where dlt or the function is missing."""
        resource = self._find_resource(project_folder)
        rows: list[dict[str, Any]] = []
        for item in resource:
            if isinstance(item, pa.Table | pa.RecordBatch):
                yield Part(self.function, pa.Table.from_batches([item]) if isinstance(item, pa.RecordBatch) else item)
            else:
                rows.append(item)
        if rows:
            yield to_part(self.function, rows)

    def _find_resource(self, project_folder: Path) -> Any:
        try:
            import dlt
        except ImportError as error:
            raise SourceError(
                f"{self.function} needs dlt, which is not installed.", hint="pip install 'dlt>=1.31,<2'"
            ) from error
        given = _import_function(self.function, project_folder)(**self.arguments)
        if not isinstance(given, dlt.sources.DltSource):
            return given
        if self.resource is None and len(given.resources) == 1:
            return next(iter(given.resources.values()))
        if self.resource not in given.resources:
            raise SourceError(
                f"{self.function} gives the resources {', '.join(given.resources)}, not '{self.resource}'.",
                hint="Set resource to one of them.",
            )
        return given.resources[self.resource]


def _import_function(name: str, project_folder: Path) -> Any:
    module_name, _, function_name = name.partition(":")
    try:
        with _importing_from(project_folder):
            return getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError) as error:
        raise SourceError(
            f"{name} cannot be imported: {error}", hint=f"Put {function_name} in {module_name}.py in {project_folder}."
        ) from error


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
