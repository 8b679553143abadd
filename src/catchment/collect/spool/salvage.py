"""Records out of a spoiled SQLite file, by its published file format: page by page, without asking SQLite.

A record carries a checksum of its own, so whatever passes is what was written, wherever in the file it was found. Pages
are looked for in the main file and in its wal, past any page there that SQLite itself would stop at.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from catchment.collect.record import is_intact
from catchment.collect.spool.segment import PAGE_BYTES, Segment

TABLE_LEAF = 13
FILE_HEADER_BYTES = 100
WAL_HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
NO_PAGE = 0


def salvage_records(segment: Segment) -> dict[int, bytes]:
    """Give every record that can still be read, by offset."""
    pages = [*_file_pages(segment.path), *((number, page) for number, _, page in _frames(segment.wal))]
    newest = dict(pages)
    cells = (cell for number, page in pages for cell in _cells(page, number, newest))
    return dict(sorted((offset, record) for offset, record in cells if offset >= segment.first and is_intact(record)))


def highest_committed_offset(segment: Segment) -> int:
    """Give the last offset in a committed transaction, even where a spoiled page hides it from SQLite.

    Read from the wal alone, where all that was appended is; one less than the first offset where there is none. A last
    transaction of which nothing can be recognised counts as one that was cut off before it was answered.
    """
    frames = list(_frames(segment.wal))
    last_commit = max((at for at, (_, pages_after, _) in enumerate(frames) if pages_after), default=-1)
    newest = {number: page for number, _, page in frames}
    # What is noise may look like a cell, but hardly like one with an offset that the file has room for.
    bound = segment.first + segment.size_bytes()
    highest = segment.first - 1
    for number, _, page in frames[: last_commit + 1]:
        offsets = (offset for offset, _ in _cells(page, number, newest, from_last=True))
        highest = max(highest, next((offset for offset in offsets if highest < offset < bound), highest))
    return highest


def _file_pages(path: Path) -> Iterator[tuple[int, bytes]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        number = 1
        while page := file.read(PAGE_BYTES):
            yield number, page
            number += 1


def _frames(wal: Path) -> Iterator[tuple[int, int, bytes]]:
    """Give page number, size of the database after a commit (0 within a transaction) and page of each frame."""
    if not wal.exists():
        return
    with wal.open("rb") as file:
        file.seek(WAL_HEADER_BYTES)
        while len(header := file.read(FRAME_HEADER_BYTES)) == FRAME_HEADER_BYTES:
            number, pages_after = struct.unpack_from(">II", header)
            yield number, pages_after, file.read(PAGE_BYTES)


def _cells(
    page: bytes, number: int, pages: dict[int, bytes], *, from_last: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Give (rowid, blob) of each cell of a leaf of a table; nothing of any other page, or of what makes no sense."""
    start = FILE_HEADER_BYTES if number == 1 else 0
    if len(page) < PAGE_BYTES or page[start] != TABLE_LEAF:
        return
    (count,) = struct.unpack_from(">H", page, start + 3)
    count = min(count, (PAGE_BYTES - start - 8) // 2)
    pointers = struct.unpack_from(f">{count}H", page, start + 8)
    for pointer in reversed(pointers) if from_last else pointers:
        try:
            length, at = _varint(page, pointer)
            offset, at = _varint(page, at)
            header = _header(page, at, length)
        except IndexError:
            continue
        # Looked at first: a length that is noise would be followed through the whole file.
        if header is not None and length <= len(pages) * PAGE_BYTES:
            yield offset, _content(page, at, length, pages)[header:]


def _header(page: bytes, at: int, length: int) -> int | None:
    """Give the length of the header of a row of two columns, its rowid and a blob; None of any other row."""
    header, kinds = _varint(page, at)
    rowid, kinds = _varint(page, kinds)
    blob, _ = _varint(page, kinds)
    is_payload = rowid == 0 and blob >= 12 and blob % 2 == 0 and header + (blob - 12) // 2 == length
    return header if is_payload else None


def _content(page: bytes, at: int, length: int, pages: dict[int, bytes]) -> bytes:
    """Give the content of a cell: what stands in the page, and what follows in pages of its own."""
    most = PAGE_BYTES - 35
    if length <= most:
        return page[at : at + length]
    least = (PAGE_BYTES - 12) * 32 // 255 - 23
    here = least + (length - least) % (PAGE_BYTES - 4)
    here = here if here <= most else least
    content = bytearray(page[at : at + here])
    following = int.from_bytes(page[at + here : at + here + 4], "big")
    while following != NO_PAGE and len(content) < length:
        more = pages.get(following, b"")
        if len(more) < PAGE_BYTES:
            break
        following = int.from_bytes(more[:4], "big")
        content += more[4 : 4 + length - len(content)]
    return bytes(content)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | data[at + 8], at + 9
