"""All vendors behind one address, each under its own path, such as /braze."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from catchment.listen import require_free_port
from catchment.observe import log as facts
from catchment.sandbox import SandboxSettings
from catchment.sandbox.answer import answer
from catchment.sandbox.faults import Fault, Misbehaving
from catchment.sandbox.store import Store
from catchment.sandbox.vendor import find_vendors

VENDORS = find_vendors()
SECRET_KINDS = {"tokens"}


def create_app(store: Store) -> Misbehaving:
    """Give the ASGI application: the vendors, and /sandbox to look into them and to order faults."""
    app = FastAPI(title="Catchment sandbox")
    for name, vendor in VENDORS.items():
        app.include_router(vendor.routes(store), prefix=f"/{name}")

    @app.get("/health")
    async def health() -> Response:
        return answer(200, {"status": "ok"})

    @app.get("/sandbox/{vendor}")
    async def read(vendor: str) -> Response:
        if vendor not in VENDORS:
            return _unknown(vendor)
        held = {kind: rows for kind, rows in store.records(vendor).items() if kind not in SECRET_KINDS}
        return answer(200, {"vendor": vendor, "requests": store.requests(vendor), "holds": held})

    @app.delete("/sandbox/faults")
    async def behave() -> Response:
        store.forget_faults()
        return Response(status_code=204)

    @app.delete("/sandbox/{vendor}")
    async def empty(vendor: str) -> Response:
        if vendor not in VENDORS:
            return _unknown(vendor)
        store.empty(vendor)
        return Response(status_code=204)

    @app.post("/sandbox/faults")
    async def order(fault: Fault) -> Response:
        if fault.vendor not in VENDORS:
            return _unknown(fault.vendor)
        store.add_fault(fault.vendor, fault.model_dump())
        return answer(201, fault.model_dump())

    return Misbehaving(app, store, {name: vendor.fail for name, vendor in VENDORS.items()})


def serve_sandbox(settings: SandboxSettings, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    require_free_port(settings.host, settings.port, "sandbox.port")
    store = Store(folder / settings.state)
    try:
        asyncio.run(_serve(settings, create_app(store)))
    finally:
        store.close()


async def _serve(settings: SandboxSettings, app: Any) -> None:
    server = Server(
        app,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_level=LogLevels.error,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    facts.info("sandbox listens on http://%s:%d", settings.host, settings.port)
    await server.serve()


def _unknown(vendor: str) -> Response:
    return answer(404, {"message": f"The sandbox has no '{vendor}'. It has: {', '.join(VENDORS)}."})
