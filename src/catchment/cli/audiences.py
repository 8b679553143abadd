"""From scores to members."""

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, open_project, tell


@app.command()
def refresh(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Recompute the audiences' members."""
    tell("refresh", open_project(project).refresh(name), as_json)
