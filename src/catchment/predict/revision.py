"""Which code a model was made by: the commit of a project that is kept in git."""

import shutil
import subprocess
from pathlib import Path

TIMEOUT_S = 10


def read_revision(folder: Path) -> str | None:
    """Give the commit that the project stands at, with `-dirty` where files differ; None where there is none."""
    git = shutil.which("git")
    if git is None:
        return None
    ask = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return None
    return told.stdout.strip() or None if told.returncode == 0 else None
