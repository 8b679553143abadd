"""Payloads in a topic of Apache Kafka, where one machine ends: idempotent producer, every in-sync replica asked."""

from pathlib import Path

from pydantic import Field

from catchment.collect.kafka.client import Topic, import_client
from catchment.collect.kafka.producer import TopicWriter
from catchment.collect.kafka.reader import Partition, Reader
from catchment.collect.log import Log, LogStore, Payload
from catchment.collect.record import encode_record

PROBE = b""
"""A message without content: a write like any other, and no payload to whoever reads."""


class Kafka(LogStore):
    """A topic of Apache Kafka; every answered payload is acknowledged by all in-sync replicas."""

    servers: str = Field(description="host:port of some brokers, with commas between.")
    topic: str = Field(
        default="catchment-payloads",
        description="Made with a replication factor of 3 and min.insync.replicas of 2, no one broker matters.",
    )
    options: dict[str, str] = Field(
        default={}, description="librdkafka's own settings, for example of security; passwords by ${NAME}."
    )
    log_name: str | None = Field(
        default=None,
        description="Names the log for ever instead of the topic's own id, for brokers before 2.8, which give it none.",
    )
    timeout_s: float = Field(
        default=5.0, description="A payload that is not acknowledged by then is answered with 503."
    )
    max_waiting_bytes: int = Field(
        default=64 * 1024 * 1024, description="Memory for payloads that wait to be sent; more is answered with 503."
    )

    def open(self, project_folder: Path) -> Log:
        import_client()
        topic = Topic(self.servers, self.topic, self.options, timeout_s=self.timeout_s, log_name=self.log_name)
        return _OpenKafka(topic, self.max_waiting_bytes)


class _OpenKafka:
    def __init__(self, topic: Topic, max_waiting_bytes: int) -> None:
        self.topic = topic
        self._writer = TopicWriter(topic, max_waiting_bytes)
        self._reader: Reader | None = None
        self._partitions: dict[int, Partition] = {}

    async def append(self, payload: Payload) -> None:
        await self._writer.send(encode_record(payload), payload.network_userid)

    async def probe(self) -> None:
        await self._writer.send(PROBE, None)

    def parts(self) -> list[Partition]:
        if self._reader is None:
            self._reader = Reader(self.topic)
        for number, log_id in self._reader.identify().items():
            held = self._partitions.get(number)
            if held is None or held.log_id != log_id:
                self._partitions[number] = Partition(self._reader, number, log_id)
        return list(self._partitions.values())

    def depth(self) -> int:
        return sum(part.depth() for part in self.parts())

    def damage(self) -> list[str]:
        return [] if self._reader is None else list(self._reader.damage)

    def close(self) -> None:
        self._writer.close()
        if self._reader is not None:
            self._reader.close()
        self._reader = None
        self._partitions = {}
