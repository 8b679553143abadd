"""Write some files of a Delta table again, without the rows that go and with those that come, in one commit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import ceil
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake.transaction import AddAction

from catchment.lake.files import ROWS_IN_MEMORY, File, Files, in_parts

FEW = 8
"""So few rows are cut out of those of their file; of more a copy is made, which costs more."""


def rewrite(
    cursor: duckdb.DuckDBPyConnection,
    files: Files,
    changed: str,
    leaving: Mapping[int, np.ndarray],
    held: Mapping[int, pa.Table],
    told: Sequence[str],
) -> dict[str, pa.Table]:
    """Commit that rows at some places of files, by their number, are gone and that those of a relation have come.

    `held` are rows of files that were read already. Gives the columns to be `told` of the files that came, by path.
    The files of each part that lose rows are written anew in as few as hold what stays and what comes; a part that
    grows first fills the smallest file that has room. One part after another is held in memory.
    """
    column, names = files.part_column, files.schema.names
    part = f'"{column}"' if column else "null"
    coming = dict(cursor.execute(f"select {part} as part, count(*) from {changed} group by part").fetchall())
    gone: dict[Any, list[File]] = {part: [] for part in coming}
    growth: Counter[Any] = Counter(coming)
    for file in files.all:
        if file.number in leaving:
            gone.setdefault(file.part, []).append(file)
            growth[file.part] -= len(leaving[file.number])
    for part in coming:
        gone[part] += _room_in(files, part, leaving) if growth[part] > 0 else []
    come: list[AddAction] = []
    rows: dict[str, pa.Table] = {}
    for part, more in _changed(cursor, files, changed, coming, gone):
        read = files.each([file for file in gone[part] if file.number not in held], names)
        stand = ((file, held[file.number] if file.number in held else next(read)) for file in gone[part])
        stay = [without(some, leaving.get(file.number)).select(names) for file, some in stand]
        whole = pa.concat_tables([*stay, more])
        pieces = list(_cut(whole, most=files.rows_per_file(part, whole.num_rows)))
        written = list(files.write(part, pieces))
        rows |= {action.path: piece.select(told) for action, piece in zip(written, pieces, strict=True)}
        come += written
    files.replace([file for some in gone.values() for file in some], come)
    return rows


def _changed(
    cursor: duckdb.DuckDBPyConnection, files: Files, changed: str, coming: Mapping[Any, int], losing: Iterable[Any]
) -> Iterator[tuple[Any, pa.Table]]:
    """Give the rows that come to each part, none for one that only loses some; of many, one part at a time."""
    names = ", ".join(f'"{name}"' for name in files.schema.names)
    yield from ((part, files.schema.empty_table()) for part in losing if part not in coming)
    if not coming:
        return
    if files.part_column is None or sum(coming.values()) <= ROWS_IN_MEMORY:
        rows = cursor.execute(f"select {names} from {changed}").to_arrow_table().cast(files.schema)
        yield from in_parts(rows, files.part_column)
        return
    for part in coming:
        of_part = f'select {names} from {changed} where "{files.part_column}" is not distinct from ?'
        yield part, cursor.execute(of_part, [part]).to_arrow_table().cast(files.schema)


def _room_in(files: Files, part: Any, taken: Mapping[int, np.ndarray]) -> list[File]:
    """Give the smallest other file of a part to which rows are added, where it has room for more."""
    others = [file for file in files.all if file.part == part and file.number not in taken]
    smallest = min(others, key=lambda file: file.rows, default=None)
    return [smallest] if smallest is not None and smallest.rows < files.rows_per_file(part, 0) else []


def only(rows: pa.Table, places: np.ndarray) -> pa.Table:
    """Give the rows at some places."""
    if len(places) > FEW:
        return rows.take(pa.array(places))
    return pa.concat_tables([rows.slice(0, 0), *(rows.slice(place, 1) for place in places)])


def without(rows: pa.Table, places: np.ndarray | None) -> pa.Table:
    """Give the rows but those at some places."""
    if places is None or not len(places):
        return rows
    if len(places) > FEW:
        stays = np.ones(rows.num_rows, bool)
        stays[places] = False
        return rows.filter(pa.array(stays))
    ends = [-1, *sorted(places), rows.num_rows]
    return pa.concat_tables([rows.slice(start + 1, end - start - 1) for start, end in pairwise(ends)])


def _cut(rows: pa.Table, *, most: int) -> Iterator[pa.Table]:
    """Cut rows into as few pieces as hold at most so many, all about as large."""
    pieces = ceil(rows.num_rows / most)
    size = ceil(rows.num_rows / max(1, pieces))
    return (rows.slice(start, size) for start in range(0, rows.num_rows, max(1, size)))
