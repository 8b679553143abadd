"""From a request to the lake."""

from catchment.cli.app import JsonOption, ProjectOption, app, tell
from catchment.project import Project


@app.command()
def collect(project: ProjectOption = None) -> None:
    """Serve the collector until stopped."""
    Project.open(project).collect()


@app.command()
def enrich(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Turn waiting payloads into events and failed events."""
    tell("enrich", Project.open(project).enrich(), as_json)
