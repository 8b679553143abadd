"""Payloads as a log is given them, and a spool in a folder."""

import asyncio
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from catchment.collect import CollectSettings
from catchment.collect.log import Log, Part, Payload, open_log

NOW = datetime(2026, 5, 1, 12, 30, 1, 234567, tzinfo=UTC)


def payload(number: int, body: bytes | None = None, network_userid: str | None = None) -> Payload:
    return Payload(
        payload_id=f"payload-{number}",
        collector_tstamp=NOW,
        collector="catchment-test",
        path="/i",
        querystring="e=pv",
        content_type=None,
        body=body,
        hostname="localhost",
        ip_address="127.0.0.1",
        useragent="Zürich \U0001f600",
        referer_uri=None,
        headers=["host: localhost", "x: ,\"'"],
        network_userid=network_userid,
    )


def open_spool(project: Path, **fields: Any) -> Log:
    return open_log(CollectSettings(log={"type": "spool", "keep_free_bytes": 0, **fields}), project)


def append(log: Log, numbers: Iterable[int], size: int = 0) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(log.append(payload(number, body=b"x" * size or None)) for number in numbers))

    asyncio.run(all_at_once())


def only_part(log: Log) -> Part:
    (part,) = log.parts()
    return part


def drain(log: Log) -> list[str]:
    """Give the ids of all payloads that wait, and remove them, as the loop of enrichment does."""
    ids: list[str] = []
    for part in log.parts():
        after = 0
        while (rows := part.read(after, 50)).num_rows:
            ids += rows["payload_id"].to_pylist()
            after = rows["_offset"][-1].as_py()
            part.remove_through(after)
    return ids


def files(folder: Path) -> list[Path]:
    return sorted((folder / ".catchment/spool").glob("*.db"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = open_spool(tmp_path)
    yield log
    log.close()
