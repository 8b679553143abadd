"""The Delta log of a table, entry by entry."""

import json
from typing import Any

from deltalake import DeltaTable
from deltalake.fs.fs_handler import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileSystem, PyFileSystem

from catchment.lake.lake import Lake

LOG = "_delta_log"


def files_of(delta: DeltaTable) -> FileSystem:
    """Give the files of a table by their paths in it."""
    return PyFileSystem(DeltaStorageHandler.from_table(delta._table))


def read_entry(files: FileSystem, version: int) -> list[dict[str, Any]] | None:
    """Give the actions of one version; None where its entry was cleaned up."""
    try:
        with files.open_input_stream(f"{LOG}/{version:020}.json") as stream:
            return [json.loads(line) for line in stream.read().splitlines() if line.strip()]
    except FileNotFoundError:
        return None


def written_at(lake: Lake, table: str, moment_ms: int) -> int | None:
    """Give the first version that was written at that moment (milliseconds since 1970) or later.

    None where there is none, or where its entry was cleaned up.
    """
    delta = lake.delta(table)
    files, newest = files_of(delta), delta.version()
    low = oldest = _oldest(files, newest)
    high = newest + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _written_ms(files, middle) < moment_ms else (low, middle)
    if low == oldest > 0:
        return None  # the one that is looked for may have come before
    return next((version for version in range(low, newest + 1) if _operation(files, version) == "WRITE"), None)


def _oldest(files: FileSystem, newest: int) -> int:
    """Give the oldest version from which on every entry stands."""
    found = [
        int(info.base_name[:20])
        for info in files.get_file_info(FileSelector(LOG))
        if info.base_name.endswith(".json") and info.base_name[:20].isdigit()
    ]
    standing = set(found)
    return next((version + 1 for version in range(newest, -1, -1) if version not in standing), 0)


def _info(files: FileSystem, version: int) -> dict[str, Any]:
    actions = read_entry(files, version) or []
    return next((action["commitInfo"] for action in actions if "commitInfo" in action), {})


def _written_ms(files: FileSystem, version: int) -> int:
    return int(_info(files, version).get("timestamp", 0))


def _operation(files: FileSystem, version: int) -> str:
    return str(_info(files, version).get("operation", ""))
