"""The Delta log of a table, entry by entry; and where a folder's older entries stand so that commits stay quick.

Each commit lists the folder of the log a few times. An object store lists from a name on, a file system lists all, so
on a day of streaming every commit would cost more than the one before. Of a table in a folder upkeep therefore leaves
the newest versions where Delta looks, and puts older entries aside until the retention is over: `appended_since` and
`written_at` read them there.
"""

import json
import time
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.fs.fs_handler import DeltaStorageHandler
from pyarrow.fs import FileSelector, FileSystem, PyFileSystem

from catchment.lake.lake import Lake

LOG, ASIDE = "_delta_log", "_log_before"
"""Folders of a table; Delta takes no file for its own that lies in a folder whose name begins with `_`."""

KEPT_VERSIONS = 500
"""So many of the newest versions can be read by their number, at least, however often a table is written."""


def files_of(delta: DeltaTable) -> FileSystem:
    """Give the files of a table by their paths in it."""
    return PyFileSystem(DeltaStorageHandler.from_table(delta._table))


def read_entry(files: FileSystem, version: int) -> list[dict[str, Any]] | None:
    """Give the actions of one version; None where its entry was cleaned up."""
    for folder in (LOG, ASIDE):
        try:
            with files.open_input_stream(f"{folder}/{version:020}.json") as stream:
                return [json.loads(line) for line in stream.read().splitlines() if line.strip()]
        except FileNotFoundError:
            continue
    return None


def put_aside(lake: Lake, table: str) -> None:
    """Put all but the newest entries aside, and remove there what is older than the retention.

    Only a log in a folder needs it. What stays begins with a checkpoint, so every version that stays can be read.
    """
    if "://" in lake.uri:
        return
    log, aside = Path(lake.path(table)) / LOG, Path(lake.path(table)) / ASIDE
    checkpoints = sorted(int(path.name[:20]) for path in log.glob("*.checkpoint.parquet"))
    newest = lake.delta(table).version()
    first = max((version for version in checkpoints if version <= newest - KEPT_VERSIONS), default=0)
    if first:
        aside.mkdir(exist_ok=True)
    for path in log.glob("0*.json"):
        if int(path.name[:20]) < first:
            path.rename(aside / path.name)
    for version in checkpoints:
        if version < first:
            (log / f"{version:020}.checkpoint.parquet").unlink(missing_ok=True)
    oldest_s = time.time() - lake.retention_hours * 3600
    for path in aside.glob("*.json"):
        if path.stat().st_mtime < oldest_s:
            path.unlink(missing_ok=True)


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
        for folder in (LOG, ASIDE)
        for info in files.get_file_info(FileSelector(folder, allow_not_found=True))
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
