"""Kill runs outright, again and again, while the sandboxes misbehave. `python benchmarks/bench_kills.py [ROUNDS]`

In each round people change and come and go, a fault is ordered, and the run is killed at a random moment of delivery.
After the last, calm runs follow; then each vendor must hold exactly the audience, and the books must say the same.
"""

import sys
import tempfile
import time
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from catchment.listen import running
from catchment.sandbox import SandboxSettings
from catchment.sandbox.server import serve_sandbox
from tests.activate.conftest import World
from tests.activate.kills import torment
from tests.ports import free_port

ROUNDS = 50
VENDORS = ("braze", "salesforce", "meta")


def main() -> None:
    """Torment each vendor and say how it went."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    settings = SandboxSettings(port=free_port())
    url = f"http://127.0.0.1:{settings.port}"
    with (
        tempfile.TemporaryDirectory() as folder,
        running(serve_sandbox, settings, Path(folder), health_url=f"{url}/health", name="sandbox"),
        httpx.Client(base_url=url, timeout=20) as client,
    ):
        for vendor in VENDORS:
            began, place = time.monotonic(), Path(folder) / vendor
            ends = torment(World(place, client), place, vendor, rounds)
            told = ", ".join(f"{count} {how}" for how, count in sorted(ends.items()))
            print(f"{vendor}: {rounds} rounds ({told}), level in the end, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
