"""From members to other systems."""

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, open_project, tell


@app.command()
def sync(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Bring destinations level with their audiences."""
    opened = open_project(project)
    with opened.sandbox():
        tell("sync", opened.sync(name), as_json)
