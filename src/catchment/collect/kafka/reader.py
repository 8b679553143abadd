"""The reading end: each partition is a part of the log, read from where the lake itself says that it is.

The offsets that the group of consumers holds at the brokers are told for monitoring alone: they come after the commit
to the lake, so after a crash they may be behind, and nothing is decided by them.
"""

import threading
import time
from typing import Any

import pyarrow as pa

from catchment.collect.kafka.client import Topic, import_client
from catchment.collect.record import decode_records, is_intact
from catchment.errors import SettingsError
from catchment.observe import log as facts

GROUP = "catchment"
READ_BYTES = 64 * 1024 * 1024
FETCH_WAIT_MS = 20
TAKE_AT_ONCE = 1_000
NO_ID = frozenset({"", "None", "AAAAAAAAAAAAAAAAAAAAAA"})
"""How an id of zeros is written, which brokers before 2.8 answer with."""


class Reader:
    """One consumer for all partitions of a topic, at one of them at a time."""

    def __init__(self, topic: Topic) -> None:
        self.topic = topic
        self.client = import_client()
        self.damage: list[str] = []
        self._at: tuple[int, int] | None = None
        self._admin: Any = None
        self._alone = threading.RLock()
        self._consumer = self.client.Consumer(
            topic.settings(
                **{
                    "group.id": GROUP,
                    "enable.auto.commit": False,
                    "auto.offset.reset": "error",
                    "isolation.level": "read_committed",
                    "fetch.wait.max.ms": FETCH_WAIT_MS,
                    # Nothing is fetched while nothing waits, which is no fault of ours.
                    "max.poll.interval.ms": 86_400_000,
                }
            )
        )

    def identify(self) -> dict[int, str]:
        """Give each partition's name for ever, with the topic's own id: a topic made anew counts from 0 again."""
        found = self._ask(self._consumer.list_topics, self.topic.name)
        partitions = sorted(found.topics[self.topic.name].partitions)
        if not partitions:
            return {}
        name = self.topic.log_name or f"{found.cluster_id}-{self._topic_id()}"
        return {number: f"kafka-{name}-{number}" for number in partitions}

    def ends(self, partition: int) -> tuple[int, int]:
        """Give the first offset that the partition still has, and the one that the next payload will get."""
        place = self.client.TopicPartition(self.topic.name, partition)
        low, high = self._ask(self._consumer.get_watermark_offsets, place)
        return int(low), int(high)

    def told(self, partition: int) -> int:
        """Give the offset that the group was last told to have done, -1 where it never was."""
        place = self.client.TopicPartition(self.topic.name, partition)
        (found,) = self._ask(self._consumer.committed, [place])
        return max(-1, int(found.offset) - 1)

    def tell(self, partition: int, offset: int) -> None:
        """Tell the group, for whoever watches how far behind it is; should it fail, the next time says it too."""
        place = self.client.TopicPartition(self.topic.name, partition, offset + 1)
        self._consumer.commit(offsets=[place], asynchronous=True)

    def take(self, partition: int, first: int, end: int, limit: int) -> tuple[list[tuple[int, bytes]], int]:
        """Give the records from `first` to before `end`, at most `limit`, and the offset to go on from."""
        with self._alone:
            return self._take(partition, first, end, limit)

    def close(self) -> None:
        """Leave the brokers."""
        self._consumer.close()

    def _take(self, partition: int, first: int, end: int, limit: int) -> tuple[list[tuple[int, bytes]], int]:
        if self._at != (partition, first):
            self._consumer.assign([self.client.TopicPartition(self.topic.name, partition, first)])
        rows: list[tuple[int, bytes]] = []
        size, position, deadline = 0, first, time.monotonic() + self.topic.timeout_s
        while position < end and len(rows) < limit and size < READ_BYTES:
            for message in self._consumer.consume(min(limit - len(rows), TAKE_AT_ONCE), timeout=0.1):
                if message.error() is not None:
                    self._at = None
                    raise self.topic.unavailable(message.error().str())
                position = message.offset() + 1
                size += self._add(rows, partition, message)
                deadline = time.monotonic() + self.topic.timeout_s
            if time.monotonic() > deadline:
                self._at = None
                raise self.topic.unavailable(f"partition {partition} gave nothing for {self.topic.timeout_s} s")
        self._at = (partition, position)
        return rows, position

    def _add(self, rows: list[tuple[int, bytes]], partition: int, message: Any) -> int:
        """Add a message that is a payload; a probe is none, and what others wrote is told and passed over."""
        record = message.value() or b""
        if not record:
            return 0
        if not is_intact(record):
            self.report(f"partition {partition}, offset {message.offset()}: no payload of a collector, passed over")
            return 0
        rows.append((message.offset(), record))
        return len(record)

    def report(self, line: str) -> None:
        """Tell once what could not be read."""
        if line not in self.damage:
            self.damage.append(line)
            facts.error("topic %s: %s", self.topic.name, line)

    def _topic_id(self) -> str:
        if self._admin is None:
            self._admin = self.client.admin.AdminClient(self.topic.settings())
        named = self.client.TopicCollection([self.topic.name])
        asked = self._admin.describe_topics(named, request_timeout=self.topic.timeout_s)
        found = self._ask(asked[self.topic.name].result)
        if str(found.topic_id) in NO_ID:
            raise SettingsError(
                f"The brokers at {self.topic.servers} give topic {self.topic.name} no id of its own.",
                hint="Set collect.log.log_name in catchment.yml, and another name whenever the topic is made anew.",
            )
        return str(found.topic_id)

    def _ask(self, question: Any, *arguments: Any) -> Any:
        try:
            return question(*arguments, timeout=self.topic.timeout_s)
        except self.client.KafkaException as error:
            raise self.topic.unavailable(error.args[0].str()) from error
        except TimeoutError as error:
            raise self.topic.unavailable(f"no answer within {self.topic.timeout_s} s") from error


class Partition:
    """One partition as a part of the log."""

    def __init__(self, reader: Reader, number: int, log_id: str) -> None:
        self.reader = reader
        self.number = number
        self._log_id = log_id
        self._passed = (-2, 0)

    @property
    def log_id(self) -> str:
        """Name the partition."""
        return self._log_id

    def read(self, after: int, limit: int) -> pa.Table:
        """Give payloads with offset > after in order, at most `limit` and about READ_BYTES."""
        low, high = self.reader.ends(self.number)
        if after >= high:
            raise self.reader.topic.unavailable(
                f"the lake holds offset {after} of partition {self.number}, which ends at {high - 1}: its end was lost"
            )
        if -1 < after < low - 1:
            self.reader.report(
                f"partition {self.number}: offsets {after + 1}-{low - 1} went by retention before the lake had them"
            )
        # What stood after `after` was no payload the last time either.
        first = max(after + 1, low, self._passed[1] if self._passed[0] == after else 0)
        rows, position = self.reader.take(self.number, first, high, limit)
        if not rows:
            self._passed = (after, position)
            # Else probes at the end would count as waiting until a payload comes after them.
            self.reader.tell(self.number, position - 1)
        return decode_records(rows)

    def remove_through(self, offset: int) -> None:
        """Tell the group; when payloads leave the topic is a matter of its retention."""
        if offset >= 0:
            self.reader.tell(self.number, offset)

    def depth(self) -> int:
        """Count the offsets that the group was not told to have done."""
        low, high = self.reader.ends(self.number)
        return max(0, high - max(low, self.reader.told(self.number) + 1))
