"""From a request to the lake."""

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell
from catchment.listen import leave


@app.command()
def collect(project: ProjectOption = None) -> None:
    """Serve the collector until stopped."""
    open_project(project).collect()
    leave()


@app.command()
def enrich(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Turn waiting payloads into events and failed events."""
    tell("enrich", open_project(project).enrich(), as_json)
