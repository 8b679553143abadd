"""From features to scores."""

from catchment.cli.app import JsonOption, NameArgument, ProjectOption, app, open_project, tell


@app.command()
def train(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Train and register the predictions' models."""
    tell("train", open_project(project).train(name), as_json)


@app.command()
def score(name: NameArgument = None, project: ProjectOption = None, as_json: JsonOption = False) -> None:
    """Score everybody with each prediction's champion."""
    tell("score", open_project(project).score(name), as_json)
