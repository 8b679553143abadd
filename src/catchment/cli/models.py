"""From events to people."""

from typing import Annotated

import typer

from catchment.cli.app import JsonOption, ProjectOption, app, open_project, tell


@app.command()
def build(
    project: ProjectOption = None,
    select: Annotated[
        str | None, typer.Option(help="Only these models, e.g. 'sessions+ tag:mine' (dbt's selectors).")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="All but these models (dbt's selectors).")] = None,
    full_refresh: Annotated[bool, typer.Option(help="Build from all events, as if nothing stood yet.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the models up to date with dbt: only visits and people with new events are counted again.

    For example: catchment build --select "sessions my_model+"
    """
    tell("build", open_project(project).build(select, exclude, full_refresh), as_json)


@app.command()
def docs(project: ProjectOption = None) -> None:
    """Write one page that describes every model, ours and your own, and print its path.

    For example: catchment docs
    """
    typer.echo(open_project(project).model_docs())
