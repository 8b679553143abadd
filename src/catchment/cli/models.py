"""From events to people."""

from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell


@app.command()
def build(
    project: ProjectOption = None,
    select: Annotated[str | None, typer.Option(help="dbt's selector.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the models with dbt."""
    tell("build", open_project(project).build(select), as_json)
