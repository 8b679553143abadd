"""Ports that no two processes of the tests take."""

import itertools
import os
import socket

_FIRST, _EACH, _WORKERS = 10_000, 1_500, 14
"""Below the ports that Linux gives to outgoing connections, parted between the processes of pytest-xdist."""

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_share = range(_FIRST + _worker * _EACH, _FIRST + (_worker + 1) * _EACH)
_start = os.getpid() % _EACH  # another run of the tests on this machine begins elsewhere
_ports = itertools.cycle([*_share[_start:], *_share[:_start]])


def free_port() -> int:
    """Give a port of 127.0.0.1 that nobody listens on, and that this process gives to nobody else for long."""
    for port in itertools.islice(_ports, _EACH):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("Every port of the tests is taken.")
