"""Other people's tables, and what campaigns brought."""

from catchment.cli.app import JsonOption, ProjectOption, app, tell
from catchment.project import Project


@app.command()
def ingest(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Load ad spend, CRM leads and other declared sources."""
    tell("ingest", Project.open(project).ingest(), as_json)


@app.command()
def measure(project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Put what campaigns cost beside what came of them."""
    tell("measure", Project.open(project).measure(), as_json)
