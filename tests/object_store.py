"""A local S3 server, for tests of what stands in an object store."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.ports import free_port

STARTS_WITHIN_S = 60.0


def options(url: str) -> dict[str, str]:
    """Give delta-rs what it needs to sign in."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def object_store() -> Iterator[str]:
    """Run a server with the bucket `lake`, and give its address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not answers(f"http://127.0.0.1:{port}"):
            assert child.poll() is None and time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.1)
        httpx.put(f"http://127.0.0.1:{port}/lake", timeout=20).raise_for_status()
        yield f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


def answers(url: str) -> bool:
    """Say whether the server is up."""
    try:
        return httpx.get(f"{url}/moto-api/", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
