"""From scores to members."""

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, tell
from catchment.project import Project


@app.command()
def refresh(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Recompute the audiences' members."""
    tell("refresh", Project.open(project).refresh(name), as_json)
