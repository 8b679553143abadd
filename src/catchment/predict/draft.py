"""Scored people who wait on disk until all are known, because only then does anybody have a rank."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa


class Draft:
    """Rows with a score, in the order in which they came; in memory are the scores alone."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_stream(self._file, schema)
        self._scores: list[Any] = [np.empty(0)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._writer.close()
        self._file.close()

    def add(self, rows: pa.Table) -> None:
        """Write some rows behind the others."""
        self._writer.write_table(rows)
        self._scores.append(rows["score"].to_numpy())

    @property
    def scores(self) -> Any:
        """Give the score of each row."""
        self._scores = [np.concatenate(self._scores)]
        return self._scores[0]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Read the rows again, batch by batch, once all were written."""
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_stream(file) as reader:
            yield from reader
