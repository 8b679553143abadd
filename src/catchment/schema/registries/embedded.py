"""The schemas that come with Catchment: what Snowplow's trackers send out of the box."""

from pathlib import Path

from catchment.schema.key import SchemaKey
from catchment.schema.registry import Registry, Schema, find_in_folder, keys_in_folder

_FOLDER = Path(__file__).parent.parent / "embedded"


class Embedded(Registry):
    """The schemas that come with Catchment: what Snowplow's trackers send out of the box."""

    def find(self, key: SchemaKey, project_folder: Path) -> Schema | None:
        return find_in_folder(_FOLDER, key)

    def keys(self, project_folder: Path) -> list[SchemaKey]:
        return keys_in_folder(_FOLDER)
