"""Other people's tables, and what campaigns brought."""

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell


@app.command()
def ingest(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Load ad spend, CRM leads and other declared sources."""
    tell("ingest", open_project(project).ingest(), as_json)


@app.command()
def measure(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Put what campaigns cost beside what came of them."""
    tell("measure", open_project(project).measure(), as_json)
