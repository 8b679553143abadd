"""The console's own process."""

import asyncio
import signal
from pathlib import Path
from typing import Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server

from catchment.listen import require_free_port
from catchment.observe import log as facts
from catchment.project import Project
from catchment.serve.app import create_app


def serve_console(folder: Path) -> None:
    """Serve the console of the project in `folder` until SIGTERM or SIGINT; raises PortInUse."""
    project = Project.open(folder)
    place = project.settings.serve
    require_free_port(place.host, place.port, "serve.port")
    asyncio.run(_serve(create_app(project), place.host, place.port))


async def _serve(app: Any, host: str, port: int) -> None:
    server = Server(
        app, address=host, port=port, interface=Interfaces.ASGI, websockets=False, log_level=LogLevels.error
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    facts.info("console listens on http://%s:%d", host, port)
    await server.serve()
