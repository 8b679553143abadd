"""From features to scores."""

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, open_project, tell
from catchment.report import console


@app.command()
def train(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Train and register the predictions' models, for example `catchment train form_submitted`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True, console=console, disable=as_json) as bar:
        task = bar.add_task("learning", total=None)
        opened = open_project(project)
        reports = opened.train(
            name, progress=lambda done, total, what: bar.update(task, completed=done, total=total, description=what)
        )
    tell("train", reports, as_json)


@app.command()
def score(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Score people with each prediction's champion, for example `catchment score form_submitted`."""
    tell("score", open_project(project).score(name), as_json)


@app.command("serve-model")
def serve_model(
    name: Annotated[str, typer.Argument(help="The prediction.")],
    project: ProjectOption = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 5001,
) -> None:
    """Answer MLflow's scoring protocol (POST /invocations), for example `catchment serve-model form_submitted`."""
    open_project(project).serve_model(name, host, port)
