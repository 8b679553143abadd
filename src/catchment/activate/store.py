"""Where files are put: a folder or an object store as Arrow knows them, or whatever offers the same few verbs."""

from typing import Any, Protocol

import pyarrow as pa
import pyarrow.fs

STORES = {"s3": "S3FileSystem", "gs": "GcsFileSystem", "gcs": "GcsFileSystem", "abfs": "AzureFileSystem"}


class Store(Protocol):
    """A root under which files stand, each whole or not at all; raises OSError where it cannot be reached."""

    def look(self) -> None:
        """Look at the root, changing nothing."""

    def names(self, folder: str) -> list[str]:
        """Name the files of a folder; none where there is no folder."""

    def is_file(self, path: str) -> bool:
        """Say whether a file stands there."""

    def write(self, path: str, content: pa.Buffer) -> None:
        """Put a file there at once, in place of the one that stands there."""

    def delete(self, path: str) -> None:
        """Take a file away."""

    def close(self) -> None:
        """Let go of connections."""


class ArrowStore:
    """A folder of this machine, or of an object store."""

    def __init__(self, url: str, options: dict[str, str]) -> None:
        scheme, _, rest = url.partition("://")
        self.files: Any
        if not rest:
            self.files, self.root = pa.fs.LocalFileSystem(), url.rstrip("/")
        elif options and scheme in STORES:
            self.files, self.root = getattr(pa.fs, STORES[scheme])(**options), rest.rstrip("/")
        else:
            self.files, self.root = pa.fs.FileSystem.from_uri(url.rstrip("/"))

    def look(self) -> None:
        """Look at the root, changing nothing."""
        self.files.get_file_info(self.root)

    def names(self, folder: str) -> list[str]:
        """Name the files of a folder; none where there is no folder."""
        found = self.files.get_file_info(pa.fs.FileSelector(f"{self.root}/{folder}", allow_not_found=True))
        return [info.base_name for info in found]

    def is_file(self, path: str) -> bool:
        """Say whether a file stands there."""
        return bool(self.files.get_file_info(f"{self.root}/{path}").type == pa.fs.FileType.File)

    def write(self, path: str, content: pa.Buffer) -> None:
        """Put a file there at once: a store shows an object when it is whole, and a folder renames."""
        whole = f"{self.root}/{path}"
        is_local = self.files.type_name == "local"
        if is_local:
            self.files.create_dir(whole.rpartition("/")[0], recursive=True)
        written = f"{whole}.part" if is_local else whole
        with self.files.open_output_stream(written) as stream:
            stream.write(content)
        if is_local:
            self.files.move(written, whole)

    def delete(self, path: str) -> None:
        """Take a file away."""
        self.files.delete_file(f"{self.root}/{path}")

    def close(self) -> None:
        """Let go of nothing: Arrow does so by itself."""
