import sys
from pathlib import Path
from typing import Any

import orjson

from .. import singer_target
from ..exam import Exam, Place

STREAM = "people"


def settings(place: Place) -> dict[str, Any]:
    program = [sys.executable, str(singer_target.__file__)]
    return {"command": program, "config": {"folder": str(place.folder)}, "secrets": {"password": "right"}}


def held(folder: Path) -> set[str]:
    file = folder / f"{STREAM}.jsonl"
    rows = [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []
    last = {row["id"]: row for row in rows}
    return {key for key, row in last.items() if row.get("_sdc_deleted_at") is None}


EXAM = Exam(
    settings=settings,
    sync={
        "target": {"stream": STREAM},
        "identifiers": {"id": "person_id"},
        "fields": {"email": "email", "seconds": "engaged_time_in_s"},
    },
    held=lambda place: held(place.folder),
    known_as=lambda payload: payload["id"],
    is_web=False,
)
