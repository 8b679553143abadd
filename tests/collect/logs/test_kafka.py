"""The log kind `kafka`: against librdkafka's own mock cluster, and against a real broker where one can be had."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catchment.collect import CollectSettings
from catchment.collect.log import Log, LogUnavailable, open_log
from catchment.errors import PluginError
from tests.broker.broker import Broker, running_broker
from tests.collect.logs.conftest import append, payload

confluent_kafka = pytest.importorskip("confluent_kafka")

TOPIC = "payloads"


def open_kafka(servers: str, **fields: Any) -> Log:
    log = {"type": "kafka", "servers": servers, "topic": TOPIC, "timeout_s": 5, **fields}
    return open_log(CollectSettings(log=log), Path())


@pytest.fixture(scope="module")
def mock_servers() -> Iterator[str]:
    """A cluster that lives as long as the client that was told to make it."""
    owner = confluent_kafka.Producer({"test.mock.num.brokers": 3, "bootstrap.servers": "made", "log_level": 0})
    brokers = owner.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{broker.host}:{broker.port}" for broker in brokers)
    owner.flush(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running_broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


def fresh(servers: str, topic: str, **fields: Any) -> Log:
    return open_kafka(servers, topic=topic, **fields)


def read_all(log: Log) -> dict[str, list[dict[str, Any]]]:
    """Give the payloads of each part, read in small steps."""
    found: dict[str, list[dict[str, Any]]] = {}
    for part in log.parts():
        rows, after = found.setdefault(part.log_id, []), -1
        while (table := part.read(after, 7)).num_rows:
            rows += table.to_pylist()
            after = rows[-1]["_offset"]
    return found


def ids(found: dict[str, list[dict[str, Any]]]) -> list[str]:
    return sorted(row["payload_id"] for rows in found.values() for row in rows)


def append_of_visitors(log: Log, count: int) -> None:
    async def all_at_once() -> None:
        await asyncio.gather(*(log.append(payload(n, b"\0 body", f"visitor-{n % 5}")) for n in range(count)))

    asyncio.run(all_at_once())


def check_round_trip(log: Log) -> None:
    append_of_visitors(log, 40)
    found = read_all(log)

    assert ids(found) == sorted(f"payload-{number}" for number in range(40))
    homes: dict[str, set[str]] = {}
    for log_id, rows in found.items():
        offsets = [row["_offset"] for row in rows]
        assert offsets == sorted(set(offsets))
        for row in rows:
            homes.setdefault(row["network_userid"], set()).add(log_id)
    assert all(len(home) == 1 for home in homes.values())
    (some,) = [row for rows in found.values() for row in rows if row["payload_id"] == "payload-7"]
    assert {**some, "_offset": 0} == {"_offset": 0, **payload(7, b"\0 body", "visitor-2")._asdict()}


def test_payloads_come_out_as_they_went_in_a_visitors_all_in_one_partition_and_in_order(mock_servers: str) -> None:
    log = fresh(mock_servers, "round-trip", log_name="mock")
    check_round_trip(log)
    log.close()


def test_a_probe_is_a_real_write_and_no_payload(mock_servers: str) -> None:
    log = fresh(mock_servers, "probed", log_name="mock")
    for _ in range(5):
        asyncio.run(log.probe())
    assert ids(read_all(log)) == []
    append(log, [1])
    for _ in range(3):
        asyncio.run(log.probe())
    assert ids(read_all(log)) == ["payload-1"]
    log.close()


def test_what_others_wrote_to_the_topic_is_told_and_passed_over(mock_servers: str) -> None:
    stranger = confluent_kafka.Producer({"bootstrap.servers": mock_servers})
    stranger.produce("strange", value=b"hello, this is no payload")
    stranger.flush(10)
    log = fresh(mock_servers, "strange", log_name="mock")
    append(log, [1])

    assert ids(read_all(log)) == ["payload-1"]
    assert ids(read_all(log)) == ["payload-1"]
    (line,) = log.damage()
    assert "no payload" in line
    log.close()


def test_a_topic_that_lost_its_end_is_named_instead_of_skipping_what_comes_next(mock_servers: str) -> None:
    log = fresh(mock_servers, "shortened", log_name="mock")
    append(log, range(3))
    part = log.parts()[0]

    with pytest.raises(LogUnavailable, match="its end was lost"):
        part.read(1_000_000, 10)
    log.close()


def test_brokers_that_do_not_answer_in_time_are_unavailable_in_bounded_time_and_memory() -> None:
    log = fresh("made", "slow", timeout_s=1, options={"test.mock.num.brokers": "1", "test.mock.broker.rtt": "60000"})

    began = time.monotonic()
    with pytest.raises(LogUnavailable, match="slow"):
        asyncio.run(log.append(payload(1)))
    assert time.monotonic() - began < 10
    log.close()


def test_what_waits_to_be_sent_is_bounded() -> None:
    slow = {"test.mock.num.brokers": "1", "test.mock.broker.rtt": "60000"}
    log = fresh("made", "full", timeout_s=2, max_waiting_bytes=200_000, options=slow)

    async def too_many() -> list[BaseException | None]:
        return await asyncio.gather(*(log.append(payload(n, b"x" * 50_000)) for n in range(20)), return_exceptions=True)

    refused = [str(fault) for fault in asyncio.run(too_many())]
    assert any("slower than they arrive" in fault for fault in refused)
    log.close()


def test_without_the_client_the_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka.admin", None)

    with pytest.raises(PluginError) as raised:
        open_kafka("127.0.0.1:1")

    assert raised.value.hint == "pip install 'catchment[kafka]'"


def test_a_real_broker_keeps_payloads_by_visitor_and_in_order(broker: Broker) -> None:
    log = fresh(broker.servers, "real")
    check_round_trip(log)
    log.close()


def test_a_stalled_broker_is_unavailable_in_bounded_time_and_recovers_by_itself(broker: Broker) -> None:
    log = fresh(broker.servers, "stalled", timeout_s=2)
    append(log, [1])

    broker.pause()
    began = time.monotonic()
    try:
        with pytest.raises(LogUnavailable, match="stalled"):
            asyncio.run(log.append(payload(2)))
        with pytest.raises(LogUnavailable, match="stalled"):
            asyncio.run(log.probe())
        took = time.monotonic() - began
    finally:
        broker.go_on()
    wait_until_kept(log, 3)

    assert took < 3 * 2 + 4
    assert {"payload-1", "payload-3"} <= set(ids(read_all(log)))
    log.close()


def test_what_a_broker_acknowledged_is_there_after_it_was_killed_and_the_producer_goes_on(broker: Broker) -> None:
    log = fresh(broker.servers, "killed", timeout_s=4)
    append(log, range(50))
    before = {part.log_id for part in log.parts()}

    broker.kill()
    with pytest.raises(LogUnavailable):
        asyncio.run(log.append(payload(1000)))
    broker.start()
    wait_until_kept(log, 99)

    assert {*(f"payload-{number}" for number in range(50)), "payload-99"} <= set(ids(read_all(log)))
    assert {part.log_id for part in log.parts()} == before
    log.close()


def test_a_topic_that_is_made_anew_has_another_name(broker: Broker) -> None:
    from confluent_kafka.admin import AdminClient

    log = fresh(broker.servers, "anew")
    append(log, [1])
    before = {part.log_id for part in log.parts()}
    admin = AdminClient({"bootstrap.servers": broker.servers})
    admin.delete_topics(["anew"])["anew"].result(timeout=30)
    wait_until_kept(log, 2)

    assert not before & {part.log_id for part in log.parts()}
    log.close()


def test_the_group_is_told_how_far_the_lake_is_and_a_probe_does_not_wait(broker: Broker) -> None:
    log = fresh(broker.servers, "told")
    append(log, range(30))
    asyncio.run(log.probe())
    waited = log.depth()
    for part in log.parts():
        after = -1
        while (rows := part.read(after, 100)).num_rows:
            after = rows["_offset"][-1].as_py()
            part.remove_through(after)
    deadline = time.monotonic() + 20
    while log.depth() and time.monotonic() < deadline:
        time.sleep(0.05)

    assert (waited, log.depth()) == (31, 0)
    log.close()


def wait_until_kept(log: Log, number: int) -> None:
    deadline = time.monotonic() + 40
    while True:
        try:
            append(log, [number])
            return
        except LogUnavailable:
            assert time.monotonic() < deadline, "it did not recover"
