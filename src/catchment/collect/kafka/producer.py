"""The writing end: each payload is answered for once all in-sync replicas have it, or refused in bounded time."""

import asyncio
import contextlib
import threading
from functools import partial
from typing import Any

from catchment.collect.kafka.client import Topic, import_client
from catchment.collect.log import LogUnavailable

LINGER_MS = 2
POLL_S = 0.1

Answer = tuple["asyncio.Future[None]", LogUnavailable | None]


class TopicWriter:
    """One idempotent producer; a thread takes the brokers' answers and wakes the event loop once for many."""

    def __init__(self, topic: Topic, max_waiting_bytes: int) -> None:
        self.topic = topic
        self.max_waiting_bytes = max_waiting_bytes
        self._producer: Any = None
        self._given_up: list[Any] = []
        self._starting = threading.Lock()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._answers: dict[asyncio.AbstractEventLoop, list[Answer]] = {}

    async def send(self, record: bytes, key: str | None) -> None:
        """Return once every in-sync replica has the record; raises LogUnavailable in bounded time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        client = import_client()
        try:
            self._ready(client).produce(
                self.topic.name, value=record, key=key, on_delivery=partial(self._note, loop, future)
            )
        except BufferError as error:
            raise LogUnavailable(
                f"The topic {self.topic.name} takes payloads slower than they arrive.",
                hint="Add partitions or brokers, or raise collect.log.max_waiting_bytes.",
            ) from error
        except client.KafkaException as error:
            self._give_up()
            raise self.topic.unavailable(error.args[0].str()) from error
        await future

    def close(self) -> None:
        """Send what waits, in bounded time."""
        if self._producer is not None:
            self._producer.flush(self.topic.timeout_s)
        self._closing.set()
        if self._thread is not None:
            self._thread.join(timeout=self.topic.timeout_s)
        self._producer = None

    def _ready(self, client: Any) -> Any:
        producer = self._producer
        if producer is not None:
            return producer
        with self._starting:
            if self._producer is None:
                self._producer = client.Producer(self._settings())
            if self._thread is None:
                self._thread = threading.Thread(target=self._take_answers, name="kafka answers", daemon=True)
                self._thread.start()
            return self._producer

    def _settings(self) -> dict[str, Any]:
        return self.topic.settings(
            **{
                "acks": "all",
                "enable.idempotence": True,
                "message.timeout.ms": round(self.topic.timeout_s * 1000),
                "queue.buffering.max.kbytes": max(1, self.max_waiting_bytes // 1024),
                "queue.buffering.max.messages": 1_000_000,
                "linger.ms": LINGER_MS,
                # As Kafka's own clients do, so that other producers of the topic put a visitor in the same partition.
                "partitioner": "murmur2_random",
            }
        )

    def _note(self, loop: asyncio.AbstractEventLoop, future: "asyncio.Future[None]", error: Any, _: Any) -> None:
        fault = None
        if error is not None:
            fault = self.topic.unavailable(error.str())
            if error.fatal():
                self._give_up()
        self._answers.setdefault(loop, []).append((future, fault))

    def _give_up(self) -> None:
        """Leave a producer that can never work again; the next payload makes a new one."""
        if self._producer is not None:
            self._given_up.append(self._producer)
        self._producer = None

    def _take_answers(self) -> None:
        while not self._closing.is_set():
            producer = self._producer
            if producer is None:
                self._closing.wait(POLL_S)
            else:
                producer.poll(POLL_S)
            # Each of these still owes answers, if only that it failed.
            self._given_up = [left for left in self._given_up if left.poll(0) or len(left)]
            self._pass_on()

    def _pass_on(self) -> None:
        answers, self._answers = self._answers, {}
        for loop, settled in answers.items():
            # A loop that has closed has nobody left to tell.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_settle, settled)


def _settle(answers: list[Answer]) -> None:
    for future, fault in answers:
        if future.done():
            continue
        if fault is None:
            future.set_result(None)
        else:
            future.set_exception(fault)
