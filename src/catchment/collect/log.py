"""What every log offers: payloads go in durably, and come out in order until somebody removes them."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

import pyarrow as pa

from catchment.collect import CollectSettings
from catchment.errors import TransientError
from catchment.plugin import Plugin, build_plugin


class LogUnavailable(TransientError):
    """The log cannot keep payloads now; whoever sent one must keep it and come again."""


class Payload(NamedTuple):
    """One request as received: the columns of `tables.PAYLOADS` but the offset, which the log gives."""

    payload_id: str
    collector_tstamp: datetime
    collector: str
    path: str
    querystring: str | None
    content_type: str | None
    body: bytes | None
    hostname: str | None
    ip_address: str | None
    useragent: str | None
    referer_uri: str | None
    headers: list[str]
    network_userid: str | None


class Part(Protocol):
    """One ordered piece of a log: what one collector process wrote, or one partition of a topic."""

    @property
    def log_id(self) -> str:
        """Name this part for ever: offsets only mean something together with it."""
        ...

    def read(self, after: int, limit: int) -> pa.Table:
        """Give payloads with offset > after in order (`tables.PAYLOADS`); none only when there are none.

        At most `limit`, and fewer where their bodies are large, so that a batch always fits in memory.
        """
        ...

    def remove_through(self, offset: int) -> None:
        """Forget payloads up to that offset, which the lake holds; a removed offset is never given again."""
        ...


class Log(Protocol):
    """An open log. Appending and reading may happen in many processes at the same time; removing in one."""

    async def append(self, payload: Payload) -> None:
        """Return only when the payload is durable; raises LogUnavailable, in bounded time, when it is not."""
        ...

    async def probe(self) -> None:
        """Prove with a real write that payloads can be kept; raises LogUnavailable saying why not."""
        ...

    def parts(self) -> Sequence[Part]:
        """Give the parts there are now; each is read and committed for itself."""
        ...

    def depth(self) -> int:
        """Count the payloads that wait."""
        ...

    def damage(self) -> list[str]:
        """Tell what storage has spoiled and where the rest of it lies, a line each; empty while all is well."""
        ...

    def close(self) -> None:
        """Finish what was appended, in bounded time, then let go of the files."""
        ...


class LogStore(Plugin):
    """Where a log lives: the base of `collect/logs` plugins."""

    def open(self, project_folder: Path) -> Log:
        """Open the log; faults of the storage show when it is used, not here."""
        raise NotImplementedError


def open_log(settings: CollectSettings, folder: Path) -> Log:
    """Open the log of the project in `folder`."""
    store: LogStore = build_plugin("collect/logs", settings.log, place="collect.log", project_folder=folder)
    return store.open(folder)
