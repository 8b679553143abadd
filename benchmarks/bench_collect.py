"""Requests a second and their latency, each durable before its answer, beside what the HTTP server can answer at all.

    python benchmarks/bench_collect.py [seconds of each trial] [trials] [connections]

One worker on one core, the load on another. Three servers answer the same load in turn: one that only answers (the
ceiling), the collector with a log that forgets, and the collector as it ships. Medians of the trials count: the machine
may have had something else to do in one.
"""

import asyncio
import json
import multiprocessing
import os
import select
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from catchment.collect import CollectSettings
from catchment.collect.log import Payload, open_log
from catchment.collect.server import Collector, run_loop, serve, serve_collector
from catchment.listen import running

GOAL_PER_S, GOAL_SHARE, GOAL_P99_MS = 12_000, 0.60, 25.0
BODY_BYTES = 1_200
SERVER_CORE, LOAD_CORE = 0, 1
HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
    "Content-Type": "application/json; charset=UTF-8",
    "Accept": "*/*",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-US,en;q=0.9",
    "Origin": "https://www.acme.com",
    "Referer": "https://www.acme.com/",
    "Cookie": "sp=6e3ab0e0-1111-4000-8000-000000000000",
}  # fmt: skip


class Trial(NamedTuple):
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    refused: int


class Forgets:
    """A log that keeps nothing: what is left is the collector's own cost."""

    async def append(self, payload: Payload) -> None:
        pass

    async def probe(self) -> None:
        pass


def pin(core: int) -> None:
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def serve_ceiling(settings: CollectSettings, _: Path) -> None:
    async def answer(_: Any, protocol: Any) -> None:
        await protocol()
        protocol.response_str(200, [("content-type", "text/plain")], "ok")

    async def run() -> None:
        server = Server(
            answer,
            port=settings.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            websockets=False,
            log_enabled=False,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    pin(SERVER_CORE)
    run_loop(run())


def serve_forgetful(settings: CollectSettings, _: Path) -> None:
    pin(SERVER_CORE)
    run_loop(serve(settings, Collector(settings, Forgets())))  # type: ignore[arg-type]


def serve_durable(settings: CollectSettings, folder: Path) -> None:
    pin(SERVER_CORE)
    serve_collector(settings, folder)


def draw_request(port: int) -> bytes:
    event = {
        "e": "pv", "p": "web", "tv": "js-4.6.8", "tna": "sp", "eid": "2f3a0a9d-0000-4000-8000-000000000000", "vid": "3",
        "dtm": "1767225600000", "stm": "1767225600100", "url": "https://www.acme.com/pricing?utm_source=x",
        "page": "Pricing", "refr": "https://www.google.com/", "duid": "6e3ab0e0-0000-4000-8000-000000000000", "cx": "",
    }  # fmt: skip
    batch = {"schema": "iglu:com.snowplowanalytics.snowplow/payload_data/jsonschema/1-0-4", "data": [event]}
    event["cx"] = "e" * (BODY_BYTES - len(json.dumps(batch)))
    body = json.dumps(batch).encode()
    lines = [f"{name}: {value}" for name, value in HEADERS.items()]
    head = ["POST /com.snowplowanalytics.snowplow/tp2 HTTP/1.1", f"Host: 127.0.0.1:{port}", *lines]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def cpu_s(server: int) -> float:
    fields = Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(port: int, server: int, connections: int, seconds: float) -> Trial:
    """Ask over each connection as soon as it is answered, and give what came of it."""
    request, now = draw_request(port), time.perf_counter
    poll = select.epoll()
    sockets = {}
    for _ in range(connections):
        connection = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[connection.fileno()] = connection
        poll.register(connection.fileno(), select.EPOLLIN)
    asked = {number: now() for number, connection in sockets.items() if connection.send(request)}
    waits, refused, spent, began = [], 0, cpu_s(server), now()
    while (moment := now()) < began + seconds:
        for number, _ in poll.poll(1):
            connection = sockets[number]
            refused += connection.recv(8192)[:12] != b"HTTP/1.1 200"
            moment = now()
            waits.append(moment - asked[number])
            asked[number] = moment
            connection.send(request)
    lasted = now() - began
    poll.close()
    for connection in sockets.values():
        connection.close()
    centiles = statistics.quantiles(waits, n=100)
    return Trial(
        len(waits) / lasted,
        centiles[49] * 1000,
        centiles[98] * 1000,
        (cpu_s(server) - spent) / len(waits) * 1e6,
        refused,
    )


def try_once(run: Callable[..., None], connections: int, seconds: float) -> Trial:
    with socket.socket() as probe, tempfile.TemporaryDirectory() as folder:
        probe.bind(("127.0.0.1", 0))
        settings = CollectSettings(port=probe.getsockname()[1])
        probe.close()
        with running(run, settings, Path(folder), health_url=f"http://127.0.0.1:{settings.port}/health", name="server"):
            [server] = multiprocessing.active_children()
            load(settings.port, server.pid or 0, connections, 0.5)
            trial = load(settings.port, server.pid or 0, connections, seconds)
        if run is serve_durable:
            require_kept(settings, Path(folder), trial.per_s * seconds)
        return trial


def require_kept(settings: CollectSettings, folder: Path, answered: float) -> None:
    log = open_log(settings, folder)
    if log.depth() < answered * 0.99:
        raise SystemExit(f"{answered:.0f} requests were answered with 200, and {log.depth()} are in the log.")
    log.close()


def main() -> None:
    given = [float(text) for text in sys.argv[1:]]
    seconds, trials, connections = [*given, *(4.0, 3.0, 64.0)[len(given) :]]
    pin(LOAD_CORE)
    servers = {"only answers": serve_ceiling, "log that forgets": serve_forgetful, "durable": serve_durable}
    done: dict[str, list[Trial]] = {name: [] for name in servers}
    for _ in range(int(trials)):
        for name, run in servers.items():
            done[name].append(try_once(run, int(connections), seconds))
    shares = [mine.per_s / most.per_s for mine, most in zip(done["durable"], done["only answers"], strict=True)]
    print(f"{'':18}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us each':>13}{'refused':>9}{'of the ceiling':>16}")
    for name, of in done.items():
        per_s, p50, p99, cpu, _ = (statistics.median(values) for values in zip(*of, strict=True))
        ceiling = statistics.median(trial.per_s for trial in done["only answers"])
        refused = sum(trial.refused for trial in of)
        print(f"{name:18}{per_s:12,.0f}{p50:9.1f}{p99:9.1f}{cpu:13.0f}{refused:9}{per_s / ceiling:16.0%}")
    per_s, _, p99, _, _ = (statistics.median(values) for values in zip(*done["durable"], strict=True))
    print(
        f"goal: {GOAL_PER_S:,} requests/s ({per_s / GOAL_PER_S:.0%}) or {GOAL_SHARE:.0%} of the ceiling"
        f" ({statistics.median(shares):.0%}), p99 under {GOAL_P99_MS:.0f} ms ({p99:.1f} ms)"
    )


if __name__ == "__main__":
    main()
