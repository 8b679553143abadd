"""Small real disks to fill, freeze and write-protect; where this machine does not let us mount, the test says so."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

THAWS_AFTER_S = 15.0


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """Mount a tmpfs of that size."""
    place.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place))
    try:
        yield place
    finally:
        run("umount", "--lazy", str(place))


def protect(place: Path, *, is_protected: bool) -> None:
    """Make the disk read-only, or writable again."""
    run("mount", "-o", f"remount,{'ro' if is_protected else 'rw'}", str(place))


@contextmanager
def freezable_disk(place: Path, image: Path) -> Iterator[Path]:
    """Mount a file system of its own whose writes can be held up."""
    if shutil.which("mkfs.ext4") is None or shutil.which("fsfreeze") is None:
        pytest.skip("no mkfs.ext4 or no fsfreeze here: a stalled disk cannot be had")
    place.mkdir(parents=True, exist_ok=True)
    run("truncate", "-s", "24M", str(image))
    run("mkfs.ext4", "-q", str(image))
    _mount("-o", "loop", str(image), str(place))
    try:
        yield place
    finally:
        run("umount", "--lazy", str(place))


@contextmanager
def frozen(place: Path) -> Iterator[None]:
    """Hold up every write while the block lasts, and never for longer than a bounded time."""
    thaw = threading.Timer(THAWS_AFTER_S, _thaw, [place])
    run("fsfreeze", "--freeze", str(place))
    thaw.start()
    try:
        yield
    finally:
        thaw.cancel()
        _thaw(place)


def _thaw(place: Path) -> None:
    subprocess.run(["fsfreeze", "--unfreeze", str(place)], check=False, capture_output=True, timeout=30)


def _mount(*arguments: str) -> None:
    try:
        run("mount", *arguments)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine does not let us mount a disk of our own: {error}")
