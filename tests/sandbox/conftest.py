"""One sandbox over loopback for all tests of this folder, emptied before each."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from catchment.listen import running
from catchment.sandbox import SandboxSettings
from catchment.sandbox.server import VENDORS, serve_sandbox
from tests.ports import free_port


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = SandboxSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    folder: Path = tmp_path_factory.mktemp("sandbox")
    with running(serve_sandbox, settings, folder, health_url=f"{url}/health", name="sandbox"):
        yield url


@pytest.fixture
def sandbox(sandbox_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox_url, timeout=20) as client:
        for vendor in VENDORS:
            client.delete(f"/sandbox/{vendor}").raise_for_status()
        yield client
