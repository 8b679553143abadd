"""From a request to the lake."""

from pathlib import Path
from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell
from catchment.listen import leave
from catchment.micro import MicroOptions


@app.command()
def collect(project: ProjectOption = None) -> None:
    """Serve the collector until stopped."""
    open_project(project).collect()
    leave()


@app.command()
def enrich(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Turn waiting payloads into events and failed events."""
    tell("enrich", open_project(project).enrich(), as_json)


@app.command()
def micro(
    port: Annotated[int, typer.Option(help="Where to listen.")] = MicroOptions().port,
    host: Annotated[str, typer.Option(help="On which address.")] = MicroOptions().host,
    keep: Annotated[bool, typer.Option("--keep", help="Keep events over a restart.")] = False,
    max_events: Annotated[
        int, typer.Option(help="Good and bad events each that are kept.")
    ] = MicroOptions().max_events,
    project: ProjectOption = None,
) -> None:
    """Serve a whole pipeline in one process for tests of trackers, by the API of Snowplow Micro (`/micro/*`).

    For example: catchment micro --keep, then open http://127.0.0.1:9090/micro/ui
    """
    from catchment.micro.server import serve_micro

    serve_micro(project or Path.cwd(), MicroOptions(host=host, port=port, keep=keep, max_events=max_events))
    leave()
