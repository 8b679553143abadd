"""A topic of Kafka: one message for a row, under its key."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import orjson
from pydantic import Field, PrivateAttr, SecretStr

from catchment.activate.caller import Caller, Unanswered
from catchment.activate.definition import Leave, Mode
from catchment.activate.destination import SENT, Batch, Destination, Limits, Outcome, Target
from catchment.errors import CredentialsError, PluginError

TOO_LARGE = ("MSG_SIZE_TOO_LARGE", "INVALID_MSG", "INVALID_MSG_SIZE")
NOT_ALLOWED = ("_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "TOPIC_AUTHORIZATION_FAILED")
GONE = ("remove", "archive", "forget")


class _KafkaTarget(Target):
    topic: str = Field(pattern=r"^[\w.-]+$", description="The topic that messages go to.")


class Kafka(Destination):
    """A topic of Kafka: rows as JSON under our key, and for leavers a message without value, which compaction drops."""

    modes: ClassVar[tuple[Mode, ...]] = ("mirror", "upsert", "insert", "event", "snapshot")
    leaves: ClassVar[tuple[Leave, ...]] = ("remove", "clear")
    target_kind: ClassVar[type[Target]] = _KafkaTarget
    batch_limits: ClassVar[Limits] = Limits(rows=10_000, size_bytes=50_000_000)
    can_forget: ClassVar[bool] = True

    servers: str = Field(description="Brokers, such as kafka-1:9092,kafka-2:9092.")
    options: dict[str, SecretStr] = Field(default={}, description="librdkafka's own: security.protocol, sasl.username.")
    timeout_s: float = Field(default=30, gt=0, description="So long may the brokers take for a batch.")
    _producers: list[Any] = PrivateAttr(default_factory=list)

    def send(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Produce and wait: each message is told of by the brokers, in whatever order."""
        topic = self.target(batch.sync, _KafkaTarget).topic
        told: dict[int, Any] = {}
        is_gone = batch.operation in GONE
        with self._said():
            producer = self._producer()
            for number, (key, row) in enumerate(zip(batch.keys, batch.rows, strict=True)):
                value = None if is_gone else orjson.dumps(row)
                headers = {"operation": batch.operation, "sync": batch.sync.name, "batch": batch.id}
                heard = _listener(told, number)
                producer.produce(topic, value, key, headers=headers, on_delivery=heard)
            producer.flush(self.timeout_s)
        silent = Outcome("unknown", "silent", f"the brokers did not confirm it within {self.timeout_s:g} s")
        return [self._outcome(told[number]) if number in told else silent for number in range(len(batch.rows))]

    def forget(self, batch: Batch, caller: Caller) -> list[Outcome]:
        """Send messages without value: a compacted topic drops what it has under these keys."""
        return self.send(batch._replace(operation="forget"), caller)

    def ask(self, caller: Caller) -> None:
        """Ask the brokers for their topics."""
        with self._said():
            self._producer().list_topics(timeout=self.timeout_s)

    def close(self) -> None:
        """Let go of the connections."""
        for producer in self._producers:
            producer.flush(self.timeout_s)
        self._producers.clear()

    @property
    def address(self) -> str:
        """Give the brokers."""
        return self.servers

    def _producer(self) -> Any:
        if not self._producers:
            options = {name: value.get_secret_value() for name, value in self.options.items()}
            own = {
                "bootstrap.servers": self.servers,
                "client.id": "catchment",
                "enable.idempotence": True,
                "delivery.timeout.ms": max(1_000, round(self.timeout_s * 1_000)),
                "queue.buffering.max.messages": 100_000,
                "log_level": 0,
            }
            self._producers.append(_client().Producer({**options, **own}))
        return self._producers[0]

    @contextmanager
    def _said(self) -> Iterator[None]:
        client = _client()
        try:
            yield
        except (client.KafkaException, BufferError) as error:
            name = error.args[0].name() if isinstance(error, client.KafkaException) else "_QUEUE_FULL"
            if name in NOT_ALLOWED:
                raise self._refused(name) from error
            raise Unanswered(str(error), code=name, is_silent=True) from error

    def _outcome(self, error: Any) -> Outcome:
        if error is None:
            return SENT
        if error.name() in NOT_ALLOWED:
            raise self._refused(error.name())
        if error.name() in TOO_LARGE:
            return Outcome("rejected", error.name(), error.str())
        return Outcome("unknown", error.name(), error.str())

    def _refused(self, name: str) -> CredentialsError:
        return CredentialsError(
            f"The brokers at {self.servers} refused us: {name}.", hint=f"Mend {self.place}.options."
        )


def _listener(told: dict[int, Any], number: int) -> Any:
    def heard(error: Any, message: Any) -> None:
        told[number] = error

    return heard


def _client() -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise PluginError(
            "A destination is of type kafka, whose client is not installed.", hint="pip install 'catchment[kafka]'"
        ) from error
    return confluent_kafka
