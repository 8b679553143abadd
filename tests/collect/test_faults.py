"""What happens to requests when the storage, the process or the port is not as it should be."""

import http.client
import multiprocessing
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catchment.collect import CollectSettings
from catchment.collect.server import serve_collector
from catchment.collect.workers import keep_running
from catchment.errors import CatchmentError, PortInUse
from tests.clients import Clients
from tests.collect.site import TP2, Site, serving, settings_for

ORIGIN = {"Origin": "https://www.acme.com"}


def process_of(site: Site) -> Any:
    [child] = [child for child in multiprocessing.active_children() if child.name == f"collector {site.settings.port}"]
    return child


def workers_of(site: Site) -> list[int]:
    pid = process_of(site).pid
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to be so in 30 s"
        time.sleep(0.05)


def bodies(site: Site) -> list[str]:
    return [payload["body"].decode() for payload in site.payloads()]


class Load(Clients):
    """Clients that send one body after the other, and remember which were answered with 200."""

    def __init__(self, site: Site, clients: int = 4) -> None:
        super().__init__(clients)
        self.site = site
        self.refused = 0

    def send(self, client: int, number: int) -> None:
        body = f"{client}-{number}"
        try:
            status = self.site.ask("POST", TP2, body).status
        except (OSError, http.client.HTTPException):
            status = 0
        if status == 200:
            self.kept.append(body)
        else:
            self.refused += 1
            self._stop.wait(0.01)


def test_killing_the_collector_after_its_answer_loses_nothing(tmp_path):
    with serving(settings_for(), tmp_path) as site:
        sent = [f"payload {number}" for number in range(20)]
        for body in sent:
            assert site.ask("POST", TP2, body).status == 200
        child = process_of(site)
        child.kill()
        child.join()

        assert bodies(site) == sent


def test_a_request_that_has_begun_is_answered_before_the_collector_stops(tmp_path):
    with serving(settings_for(), tmp_path) as site:
        child = process_of(site)
        with socket.create_connection(("127.0.0.1", site.settings.port), timeout=20) as begun:
            head = b"POST /com.acme/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nExpect: 100-continue\r\n\r\n"
            begun.sendall(head)
            assert begun.recv(1000).startswith(b"HTTP/1.1 100")
            begun.sendall(b"beg")
            child.terminate()
            wait_until(lambda: not is_listening(site))
            begun.sendall(b"un!")
            answer = begun.recv(1000)
        child.join(timeout=20)

        assert answer.startswith(b"HTTP/1.1 200")
        assert child.exitcode == 0
        assert bodies(site) == ["begun!"]


def test_stopping_the_collector_is_a_clean_exit_even_with_an_idle_connection(tmp_path):
    with serving(settings_for(), tmp_path) as site:
        child = process_of(site)
        idle = http.client.HTTPConnection("127.0.0.1", site.settings.port, timeout=5)
        idle.request("GET", "/i?e=pv")
        idle.getresponse().read()
        child.terminate()
        child.join(timeout=10)
        idle.close()

        assert child.exitcode == 0


def test_a_load_balancer_is_told_before_the_collector_stops(tmp_path):
    with serving(settings_for(drain_s=3.0), tmp_path) as site:
        child = process_of(site)
        child.terminate()
        wait_until(lambda: site.ask("GET", "/health").status == 503)
        still = site.ask("POST", TP2, "still taken")
        child.join(timeout=20)

        assert still.status == 200
        assert child.exitcode == 0
        assert bodies(site) == ["still taken"]


def is_listening(site: Site) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", site.settings.port)) == 0


def test_a_full_disk_is_a_503_that_health_explains_until_there_is_space_again(tmp_path):
    settings = settings_for(log={"type": "spool", "folder": "spool", "timeout_s": 2})
    with serving(settings, tmp_path) as site:
        pid = process_of(site).pid
        assert site.ask("POST", TP2, "before").status == 200

        # No file may grow: for the collector that is what a full disk is.
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        began = time.monotonic()
        refused = [site.ask("POST", TP2, f"refused {number}", ORIGIN) for number in range(5)]
        health = site.ask("GET", "/health")
        click = site.ask("GET", "/i?e=pv")
        took = time.monotonic() - began
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
        wait_until(lambda: site.ask("GET", "/health").status == 200)
        after = site.ask("POST", TP2, "after")

        assert {reply.status for reply in refused} == {503}
        assert refused[0].headers["access-control-allow-origin"] == "https://www.acme.com"
        assert refused[0].headers["retry-after"]
        assert "set-cookie" not in refused[0].headers
        assert (health.status, click.status) == (503, 503)
        assert str(tmp_path / "spool") in health.body.decode()
        assert took < 2 * 7 + 5
        assert after.status == 200
        kept = [body for body in bodies(site) if not body.startswith("refused")]
        assert kept == ["before", "after"]


def test_a_click_is_sent_on_even_where_it_cannot_be_kept(tmp_path):
    (tmp_path / "spool").write_text("a file where the folder should be")
    settings = settings_for(
        log={"type": "spool", "folder": "spool"}, redirect={"enabled": True, "hosts": ["www.acme.com"]}
    )
    with starting(settings, tmp_path) as site:
        reply = site.ask("GET", "/r/tp2?u=https%3A%2F%2Fwww.acme.com")

    assert (reply.status, reply.headers["location"]) == (302, "https://www.acme.com")
    assert "set-cookie" not in reply.headers


def test_a_spool_folder_that_cannot_be_written_is_a_503_and_health_names_it(tmp_path):
    (tmp_path / "spool").write_text("a file where the folder should be")
    with starting(settings_for(log={"type": "spool", "folder": "spool"}), tmp_path) as site:
        health = site.ask("GET", "/health")
        refused = site.ask("POST", TP2, "body")
        (tmp_path / "spool").unlink()
        wait_until(lambda: site.ask("GET", "/health").status == 200)
        taken = site.ask("POST", TP2, "body")

    assert health.status == 503
    assert str(tmp_path / "spool") in health.body.decode()
    assert refused.status == 503
    assert taken.status == 200


@contextmanager
def starting(settings: CollectSettings, folder: Path) -> Iterator[Site]:
    """A collector that need not be healthy."""
    site = Site(settings, folder)
    child = multiprocessing.get_context("spawn").Process(target=serve_collector, args=(settings, folder))
    child.start()
    try:
        wait_until(lambda: is_listening(site))
        yield site
    finally:
        child.terminate()
        child.join()


def test_workers_share_one_port_and_lose_nothing_when_they_are_killed_or_told_to_stop(tmp_path):
    with serving(settings_for(workers=2), tmp_path) as site:
        supervisor = process_of(site)
        wait_until(lambda: len(workers_of(site)) == 2)
        first = workers_of(site)
        with Load(site) as load:
            load.wait_for(20)
            for signal_name in (signal.SIGKILL, signal.SIGTERM):
                victim = workers_of(site)[0]
                os.kill(victim, signal_name)
                wait_until(lambda victim=victim: victim not in workers_of(site) and len(workers_of(site)) == 2)
            load.wait_for(20)
            supervisor.terminate()
            supervisor.join(timeout=30)

        assert still_running(first) == []
        assert supervisor.exitcode == 0
        assert set(load.kept) <= set(bodies(site))


def still_running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_workers_end_with_their_supervisor_however_it_went(tmp_path):
    with serving(settings_for(workers=2), tmp_path) as site:
        wait_until(lambda: len(workers_of(site)) == 2)
        workers = workers_of(site)
        process_of(site).kill()

        wait_until(lambda: still_running(workers) == [])


def test_workers_that_die_again_and_again_end_the_whole_loudly():
    with pytest.raises(CatchmentError, match="died"):
        keep_running(2, os._exit, 3)


def test_a_port_in_use_is_named_with_its_setting(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = CollectSettings(port=other.getsockname()[1])

        with pytest.raises(PortInUse) as raised:
            serve_collector(settings, tmp_path)

    assert str(settings.port) in str(raised.value)
    assert "collect.port" in raised.value.hint
