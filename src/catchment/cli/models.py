"""From events to people."""

from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, tell
from catchment.project import Project


@app.command()
def build(
    project: ProjectOption = None,
    select: Annotated[str | None, typer.Option(help="dbt's selector.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the models with dbt."""
    tell("build", Project.open(project).build(select), as_json)
