"""Send what trackers send over HTTP, to the collector of this machine."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import httpx

from catchment.errors import CatchmentError, TransientError
from catchment.simulate.payloads import TP2, Delivery

CONNECTIONS = 8
IN_FLIGHT = 64
ATTEMPTS = 5


def deliver(deliveries: Iterable[Delivery], collector_url: str) -> Iterator[Delivery]:
    """Send each, and give it, without its body, once the collector has taken it.

    Raises CatchmentError where the collector refuses one for good.
    """
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    with (
        httpx.Client(base_url=collector_url, limits=limits, timeout=30) as client,
        ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="visitor") as pool,
    ):
        pending: set[Future[Delivery]] = set()
        for delivery in deliveries:
            pending.add(pool.submit(_send, client, delivery))
            if len(pending) >= IN_FLIGHT:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in pending)


def _send(client: httpx.Client, delivery: Delivery) -> Delivery:
    """Send as a tracker does: again where the collector asks for it or is out of reach."""
    problem = ""
    for _ in range(ATTEMPTS):
        try:
            answer = client.post(TP2, content=delivery.body, headers=delivery.headers)
        except httpx.TransportError as error:
            problem = str(error)
            continue
        if answer.status_code == 200:
            return delivery._replace(body=b"")
        problem = f"{answer.status_code} {answer.text[:200]}"
        if answer.status_code < 500:
            raise CatchmentError(f"The collector at {client.base_url} refused a simulated visitor: {problem}")
    raise TransientError(
        f"The collector at {client.base_url} did not take a simulated visitor in {ATTEMPTS} attempts: {problem}",
        hint="Is it running? `catchment collect` starts it.",
    )
