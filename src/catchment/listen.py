"""Servers of this product as child processes: check the port, start, wait until healthy, stop."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, NoReturn

from catchment.errors import CatchmentError, PortInUse

HEALTHY_WITHIN_S = 30.0


def is_listening(host: str, port: int) -> bool:
    """Say whether anything accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0


def require_free_port(host: str, port: int, setting: str) -> None:
    """Raise PortInUse, naming the setting that moves us, where the port is taken."""
    if is_listening(host, port):
        raise PortInUse(
            f"Port {port} on {host} is in use by another program.",
            hint=f"Stop that program, or set {setting} to a free port in catchment.yml.",
        )


@contextmanager
def running(serve: Callable[..., None], *arguments: Any, health_url: str, name: str) -> Iterator[None]:
    """Run `serve(*arguments)` in a child process for as long as the block lasts.

    `serve` is a module-level function that blocks; it is started afresh (spawn), so its arguments must pickle. The
    block begins once `health_url` answers 200.
    """
    child = multiprocessing.get_context("spawn").Process(
        target=serve_while_parent_lives, args=(serve, *arguments), name=name, daemon=False
    )
    child.start()
    try:
        _wait_until_healthy(child, health_url, name)
        yield
    finally:
        child.terminate()
        child.join(timeout=15)
        if child.is_alive():
            child.kill()
            child.join()


def serve_while_parent_lives(serve: Callable[..., None], *arguments: Any) -> None:
    """Serve, and stop as on SIGTERM once the parent is gone, however it went: an orphan would keep the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_stop_after, args=(parent.sentinel,), name="parent watch", daemon=True).start()
    try:
        serve(*arguments)
    except CatchmentError as error:
        print(f"{error} {error.hint}", file=sys.stderr)
        raise SystemExit(1) from None
    leave()


def leave() -> NoReturn:
    """End this process after serving, with everything closed and nothing left to do.

    Not by Python's own way out: threads of the HTTP server may still run, and abort a process that takes itself down.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _stop_after(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _wait_until_healthy(child: Any, health_url: str, name: str) -> None:
    deadline = time.monotonic() + HEALTHY_WITHIN_S
    while not _answers(health_url):
        if child.exitcode is not None:
            raise CatchmentError(
                f"The {name} stopped while starting (exit {child.exitcode}).", hint="Its own message stands above."
            )
        if time.monotonic() > deadline:
            raise CatchmentError(f"The {name} did not answer at {health_url} in {HEALTHY_WITHIN_S:.0f} s.")
        time.sleep(0.05)


def _answers(health_url: str) -> bool:
    try:
        with urllib.request.urlopen(health_url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
