"""A stream that never pauses keeps no turn of the loop for ever."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import yaml

from catchment.collect.log import Payload
from catchment.project import Project


def keep(project: Project, count: int) -> None:
    now = datetime.now(UTC)
    payload = Payload("p", now, "test", "/i", "e=pv&p=web&tv=js-4", None, None, None, None, None, None, [], None)
    with project.opened_log() as log:
        for number in range(count):
            asyncio.run(log.append(payload._replace(payload_id=str(number))))


def test_what_arrives_during_a_turn_is_left_for_the_next(tmp_path: Path) -> None:
    Project.init(tmp_path)
    path = tmp_path / "catchment.yml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "enrich": {"batch_payloads": 1}}))
    project = Project.open(tmp_path)
    keep(project, 3)
    project.progress = lambda what, done, total: keep(project, 1) if done < total else None

    first = project.drain().payloads
    left = project.waiting()
    project.progress = lambda what, done, total: None
    second = project.drain().payloads

    assert (first, left, second, project.waiting()) == (3, 2, 2, 0)
