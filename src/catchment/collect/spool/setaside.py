"""A spoiled segment goes aside under a name of its own, whole; what can be read of it takes its place."""

import contextlib
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from catchment.collect.spool.salvage import salvage_records
from catchment.collect.spool.segment import PAGE_BYTES, SCHEMA, Segment, sync_folder
from catchment.observe import log as facts

REPORT_SUFFIX = ".damaged.json"


def set_aside(segment: Segment, reason: str, *, until: int | None) -> None:
    """Salvage, then move the spoiled file aside; `until` is the offset at which the next file begins.

    May be stopped anywhere and begun again: at each moment either the spoiled file is in its place or the salvaged one.
    """
    records = salvage_records(segment)
    salvaged = segment._replace(is_salvaged=True)
    kept = segment.path.with_suffix(".damaged.db")
    report = {
        "file": str(kept),
        "reason": reason,
        "salvaged": len(records),
        "missing": _gaps(segment.first, list(records), until),
    }
    fresh = _write(salvaged.path.with_suffix(".new"), records)
    for path, name in ((segment.path, kept), (segment.wal, kept.with_name(kept.name + "-wal"))):
        if path.exists():
            name.unlink(missing_ok=True)
            name.hardlink_to(path)
    segment.path.with_suffix(REPORT_SUFFIX).write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    fresh.replace(salvaged.path)
    if segment != salvaged:
        segment.remove()
    sync_folder(segment.folder)
    facts.error("spool %s", _line(report))


def list_damage(folder: Path) -> list[str]:
    """Tell what was set aside in a folder, a line each."""
    reports = sorted(folder.glob(f"*{REPORT_SUFFIX}")) if folder.is_dir() else []
    return [_line(orjson.loads(path.read_bytes())) for path in reports]


def _line(report: dict[str, Any]) -> str:
    missing = ", ".join(f"{first}-{last}" for first, last in report["missing"]) or "none"
    return (
        f"file spoiled and kept as {report['file']} ({report['reason']}): {report['salvaged']} payloads salvaged, "
        f"offsets that could not be read: {missing}"
    )


def _gaps(first: int, offsets: list[int], until: int | None) -> list[tuple[int, int]]:
    """Give the ranges between the first offset and the end in which none was found."""
    marks = [first - 1, *offsets, *([] if until is None else [until])]
    return [(before + 1, after - 1) for before, after in pairwise(marks) if after > before + 1]


def _write(path: Path, records: dict[int, bytes]) -> Path:
    path.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"pragma page_size = {PAGE_BYTES}")
        connection.execute("pragma synchronous = full")
        connection.executescript(f"begin;{SCHEMA}")
        connection.executemany("insert into payloads values (?, ?)", records.items())
        connection.execute("commit")
    return path
