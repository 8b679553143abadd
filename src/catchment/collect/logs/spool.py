"""Payloads in SQLite files on this machine: WAL, `synchronous=FULL`, group commit, a lane of files for each process."""

from pathlib import Path

from pydantic import Field

from catchment.collect.group import GroupCommit
from catchment.collect.log import Log, LogStore, Payload
from catchment.collect.record import encode_record
from catchment.collect.spool.legacy import FILE_NAME, SingleFile
from catchment.collect.spool.reader import LaneReader
from catchment.collect.spool.segment import list_segments
from catchment.collect.spool.setaside import list_damage
from catchment.collect.spool.writer import LaneWriter, Limits


class Spool(LogStore):
    """SQLite files in a folder of this machine; every answered payload has survived an fsync."""

    folder: str = Field(default=".catchment/spool", description="On a local disk: SQLite's WAL needs one.")
    timeout_s: float = Field(default=5.0, description="A payload that is not durable by then is answered with 503.")
    max_waiting_bytes: int = Field(
        default=64 * 1024 * 1024, description="Memory for payloads that wait to be written; more is answered with 503."
    )
    roll_bytes: int = Field(default=64 * 1024 * 1024, description="A file larger than this is followed by a new one.")
    roll_s: float = Field(
        default=60.0, description="So is one older than this, so that what is committed to the lake leaves the disk."
    )
    keep_free_bytes: int = Field(
        default=128 * 1024 * 1024,
        description="Below this much free disk payloads are answered with 503: the lake needs room to empty the spool.",
    )

    def open(self, project_folder: Path) -> Log:
        return _OpenSpool((project_folder / self.folder).resolve(), self)


class _OpenSpool:
    def __init__(self, folder: Path, settings: Spool) -> None:
        self.folder = folder
        limits = Limits(
            roll_bytes=settings.roll_bytes,
            roll_s=settings.roll_s,
            keep_free_bytes=settings.keep_free_bytes,
            busy_s=settings.timeout_s / 2,
        )
        self._group = GroupCommit(
            LaneWriter(folder, limits),
            f"The spool {folder}",
            timeout_s=settings.timeout_s,
            max_waiting_bytes=settings.max_waiting_bytes,
        )
        self._readers: dict[str, LaneReader] = {}

    async def append(self, payload: Payload) -> None:
        await self._group.enter(encode_record(payload))

    async def probe(self) -> None:
        await self._group.enter(None)

    def parts(self) -> list[LaneReader | SingleFile]:
        for log_id in list_segments(self.folder):
            if log_id not in self._readers:
                self._readers[log_id] = LaneReader(self.folder, log_id)
        single = self.folder / FILE_NAME
        return [*([SingleFile(single)] if single.exists() else []), *self._readers.values()]

    def depth(self) -> int:
        return sum(part.depth() for part in self.parts())

    def damage(self) -> list[str]:
        return list_damage(self.folder)

    def close(self) -> None:
        self._group.close()
        for reader in self._readers.values():
            reader.close()
