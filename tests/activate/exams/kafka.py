"""Against librdkafka's own broker, which lives as long as the client that owns it."""

from functools import cache
from pathlib import Path
from typing import Any

import confluent_kafka

from ..exam import Exam, Place

TOPIC = "people"
RAISE = {"test.mock.num.brokers": 1, "bootstrap.servers": "made", "log_level": 0}


@cache
def broker_of(folder: Path) -> tuple[Any, str]:
    """Give each sitting a broker of its own, and so an empty topic."""
    owner = confluent_kafka.Producer(RAISE)
    servers = ",".join(f"{one.host}:{one.port}" for one in owner.list_topics(timeout=10).brokers.values())
    return owner, servers


def compacted(place: Place) -> set[str]:
    """Read the topic from its start and keep the last message of each key, as compaction does."""
    group = {"group.id": "exam", "auto.offset.reset": "earliest", "enable.partition.eof": True, "log_level": 0}
    reader = confluent_kafka.Consumer({"bootstrap.servers": broker_of(place.folder)[1], **group})
    partitions = reader.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    reader.assign([confluent_kafka.TopicPartition(TOPIC, number, 0) for number in partitions])
    held: dict[str, bytes | None] = {}
    ended = 0
    while ended < len(partitions):
        message = reader.poll(10)
        assert message is not None, "The broker does not answer."
        if message.error() is not None:
            ended += 1
            continue
        held[message.key().decode()] = message.value()
    reader.close()
    return {key for key, value in held.items() if value is not None}


EXAM = Exam(
    settings=lambda place: {"servers": broker_of(place.folder)[1]},
    sync={
        "target": {"topic": TOPIC},
        "identifiers": {"id": "person_id"},
        "fields": {"email": "email"},
    },
    held=compacted,
    known_as=lambda payload: payload["id"],
    is_web=False,
)
