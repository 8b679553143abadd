"""A real Kafka broker of one node in a folder, on free ports of this machine; it can be paused and killed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import free_port

JARS = Path(__file__).parents[2] / ".broker"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"
STARTS_WITHIN_S = 60.0


class Broker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, controller_port = free_port(), free_port()
        self.servers = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._properties = folder / "server.properties"
        self._properties.write_text(
            f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://{self.servers},CONTROLLER://127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
log.dirs={folder}/data
num.partitions=3
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
"""
        )
        self._java("kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(self._properties)).wait(60)

    def start(self) -> None:
        self._process = self._java("kafka.Kafka", str(self._properties))
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the broker did not start in time"
            time.sleep(0.1)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _java(self, *arguments: str) -> "subprocess.Popen[bytes]":
        options = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*"]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(["java", *options, *arguments], stdout=log, stderr=log)


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    if shutil.which("java") is None or not (JARS / ".installed").exists():
        pytest.skip("no JVM, or no jars of Kafka in .broker: `make .broker/.installed` fetches them")
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
