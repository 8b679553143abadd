"""A folder of the project, laid out as every Iglu registry is: vendor/name/jsonschema/version."""

from pathlib import Path

from pydantic import Field

from catchment.schema.key import SchemaKey
from catchment.schema.registry import Registry, Schema, find_in_folder, keys_in_folder, mark_of_folder


class Folder(Registry):
    """A folder of the project, laid out as every Iglu registry is: vendor/name/jsonschema/version."""

    path: str = Field(default="schemas", description="The folder, relative to the project; it need not exist.")

    def find(self, key: SchemaKey, project_folder: Path) -> Schema | None:
        return find_in_folder(project_folder / self.path, key)

    def keys(self, project_folder: Path) -> list[SchemaKey]:
        folder = project_folder / self.path
        return keys_in_folder(folder) if folder.is_dir() else []

    def mark(self, project_folder: Path) -> object:
        return mark_of_folder(project_folder / self.path)
