"""Files beside the tables: at a path of this machine or at a URL of an object store, gzip or plain.

URLs are opened by delta-rs with `lake.storage_options`, so what reads the lake reads them.
"""

import gzip
import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.fs as pa_fs

from catchment.errors import SettingsError

_GZIP = b"\x1f\x8b"
_CHUNK = 2**20


def find_files(place: str, options: Mapping[str, str]) -> list[str]:
    """Name the files at a place: itself, or all below where it is a folder; SettingsError where there is none."""
    if "://" not in place:
        path = Path(place)
        found = sorted(str(each) for each in path.rglob("*") if each.is_file()) if path.is_dir() else [place]
        missing = not path.exists()
    else:
        store, name, root = _open_store(place, options)
        info = store.get_file_info(name)
        missing = info.type == pa_fs.FileType.NotFound
        found = [place]
        if missing or info.type == pa_fs.FileType.Directory:
            below = store.get_file_info(pa_fs.FileSelector(name, recursive=True, allow_not_found=True))
            found = sorted(f"{root}/{each.path}" for each in below if each.type == pa_fs.FileType.File)
            missing = not found
    if missing:
        raise SettingsError(f"There is no file at {place}.", hint="Name a file, a folder, or a URL such as s3://b/x/.")
    return found


@contextmanager
def opened_copy(place: str, options: Mapping[str, str]) -> Iterator[tuple[str, BinaryIO]]:
    """Give what a file holds, unpacked, and a name of its content that is the same wherever it stands.

    It is copied first: a file that changes or a store that falters midway is noticed before anything is done with it.
    """
    with tempfile.TemporaryFile() as copy:
        try:
            content = _copy(place, options, copy)
        except (EOFError, gzip.BadGzipFile) as error:
            raise SettingsError(f"{place} is a broken gzip file: {error}.", hint="Fetch it anew.") from error
        copy.seek(0)
        yield content, copy


def _copy(place: str, options: Mapping[str, str], copy: Any) -> str:
    """Copy what a file holds, unpacked, and give the name of its content."""
    digest = hashlib.sha256()
    with _open(place, options) as source:
        plain: Any = gzip.GzipFile(fileobj=source) if source.peek(2)[:2] == _GZIP else source
        while chunk := plain.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()[:32]


@contextmanager
def written_file(place: str, options: Mapping[str, str]) -> Iterator[BinaryIO]:
    """Have a file that stands at its place only when the block ended well; packed where its name ends in `.gz`."""
    with tempfile.TemporaryFile() as draft:
        if place.endswith(".gz"):
            with gzip.GzipFile(fileobj=draft, mode="wb", mtime=0) as packed:
                yield packed  # type: ignore[misc]
        else:
            yield draft  # type: ignore[misc]
        draft.seek(0)
        if "://" in place:
            store, name, _ = _open_store(place, options)
            with store.open_output_stream(name) as target:
                shutil.copyfileobj(draft, target, _CHUNK)
            return
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.part")
        with half.open("wb") as target:
            shutil.copyfileobj(draft, target, _CHUNK)
        half.replace(path)


def _open(place: str, options: Mapping[str, str]) -> io.BufferedReader:
    try:
        if "://" not in place:
            return Path(place).open("rb")
        store, name, _ = _open_store(place, options)
        return io.BufferedReader(store.open_input_stream(name))
    except OSError as error:
        raise SettingsError(f"{place} cannot be read: {error}.", hint="Check the place and the rights.") from error


def _open_store(place: str, options: Mapping[str, str]) -> tuple[pa_fs.FileSystem, str, str]:
    """Give the store that a URL is in, the name there, and the URL of the store."""
    from deltalake.fs import DeltaStorageHandler

    scheme, _, rest = place.partition("://")
    bucket, _, name = rest.partition("/")
    root = f"{scheme}://{bucket}"
    return pa_fs.PyFileSystem(DeltaStorageHandler(root, dict(options))), name, root
